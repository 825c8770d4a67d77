import type { BackPressureController, PipelineStatus, StageStatus } from '#libs/back-pressure';
import type { CreditPoolSnapshot } from '#libs/flow-control';
import { STAGE_IDS } from '../pipeline/stage.js';
import type { Sample } from './copied-metric.js';

/** The pools: those of the stages, and the one of the whole pipeline. */
const POOLS = [...STAGE_IDS, 'pipeline'] as const;

export const only = (value: number): Sample[] => [{ labels: {}, value }];

/** One sample a stage. */
export function perStage(status: PipelineStatus, value: (stage: StageStatus) => number): Sample[] {
  return status.stages.map((stage) => ({ labels: { stage: stage.stage }, value: value(stage) }));
}

/** One sample a pool of credits. */
export function perPool(
  controller: BackPressureController,
  value: (pool: CreditPoolSnapshot) => number,
): Sample[] {
  return POOLS.map((stage) => ({ labels: { stage }, value: value(controller.credits(stage)) }));
}

export function dimensionSamples({ stages, process }: PipelineStatus): Sample[] {
  const sample = (stage: string, dimension: string, value: number): Sample => ({
    labels: { stage, dimension },
    value,
  });
  return [
    ...stages.flatMap((each) => [
      sample(each.stage, 'queue', each.queueUtilization),
      sample(each.stage, 'credit', each.creditUtilization),
      sample(each.stage, 'error', each.errorRate),
    ]),
    sample('process', 'memory', process.memory),
    sample('process', 'network', process.network),
  ];
}

/** What a stage works on; nothing for a stage without calls or pending acknowledgments. */
export function inServiceSamples(
  { stages }: PipelineStatus,
  id: string,
  value: (inService: { running: number; limit: number }) => number,
): Sample[] {
  return stages.flatMap(({ stage, inService }) =>
    stage === id && inService !== null ? [{ labels: { stage }, value: value(inService) }] : [],
  );
}

export const unlabelled = (samples: readonly Sample[]): Sample[] =>
  samples.map(({ value }) => ({ labels: {}, value }));

export function shareSamples({ stages }: PipelineStatus): Sample[] {
  return stages.flatMap(({ stage, busyRatio, blockedRatio, idleRatio }) => [
    { labels: { stage, state: 'busy' }, value: busyRatio },
    { labels: { stage, state: 'blocked' }, value: blockedRatio },
    { labels: { stage, state: 'idle' }, value: idleRatio },
  ]);
}

export function bottleneckSamples({ bottleneck }: PipelineStatus): Sample[] {
  return [...STAGE_IDS, 'process'].map((stage) => ({
    labels: { stage },
    value: Number(bottleneck?.stage === stage),
  }));
}
