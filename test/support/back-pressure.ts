import {
  type BackPressureOptions,
  DEFAULT_WEIGHTS,
  type ProcessProbe,
  type StageSpec,
} from '../../libs/back-pressure/src/index.js';
import { FakeClock } from './fake-clock.js';

/** A process at rest, whatever the machine that runs the test does. */
export class FakeProbe implements ProcessProbe {
  heap = 0;
  rss = 0;
  loopDelayMs = 0;
  starts = 0;
  stops = 0;

  start(): void {
    this.starts += 1;
  }

  stop(): void {
    this.stops += 1;
  }

  heapRatio(): number {
    return this.heap;
  }

  rssRatio(): number {
    return this.rss;
  }

  loopDelayP99Ms(): number {
    return this.loopDelayMs;
  }
}

/** The five stages with the product's defaults. */
export const DEFAULT_STAGES: readonly StageSpec[] = [
  {
    id: 'Gateway',
    capacity: 1000,
    replenishPerSecond: 100,
    trigger: 0.7,
    triggerOn: 'queue-or-credit',
    latencyTargetMs: 100,
    weights: DEFAULT_WEIGHTS.Gateway,
  },
  {
    id: 'KeyGen',
    capacity: 2000,
    replenishPerSecond: 200,
    trigger: 0.8,
    triggerOn: 'queue',
    latencyTargetMs: 1000,
    weights: DEFAULT_WEIGHTS.KeyGen,
  },
  {
    id: 'IngressProcessing',
    capacity: 1500,
    replenishPerSecond: 150,
    trigger: 0.75,
    triggerOn: 'queue',
    latencyTargetMs: 1000,
    weights: DEFAULT_WEIGHTS.IngressProcessing,
  },
  {
    id: 'AsyncEgress',
    capacity: 3000,
    replenishPerSecond: 300,
    trigger: 0.9,
    triggerOn: 'in-service',
    latencyTargetMs: 1000,
    weights: DEFAULT_WEIGHTS.AsyncEgress,
  },
  {
    id: 'FinalSink',
    capacity: 2500,
    replenishPerSecond: 250,
    trigger: 0.85,
    triggerOn: 'in-service',
    latencyTargetMs: 1000,
    weights: DEFAULT_WEIGHTS.FinalSink,
  },
];

/** The default stages, each changed by `change`. */
export function stagesWith(
  change: Partial<StageSpec> | Readonly<Record<string, Partial<StageSpec>>>,
): StageSpec[] {
  return DEFAULT_STAGES.map((spec) => {
    const own = (change as Record<string, Partial<StageSpec> | undefined>)[spec.id];
    const isByStage = DEFAULT_STAGES.some(({ id }) => id in change);
    return { ...spec, ...(isByStage ? own : (change as Partial<StageSpec>)) };
  });
}

/** Options of a controller in a test: default sizes, fake clock, no jitter, a process at rest. */
export function backPressureOptions(
  change: Partial<BackPressureOptions> = {},
): BackPressureOptions & { readonly clock: NonNullable<BackPressureOptions['clock']> } {
  return {
    stages: DEFAULT_STAGES,
    pipeline: { capacity: 10_000, byteCapacity: 67_108_864 },
    monitoringIntervalMs: 2000,
    thresholds: { moderate: 0.6, high: 0.8, critical: 0.9 },
    errorTolerance: 0.05,
    admission: { queueCapacity: 1000 },
    probe: new FakeProbe(),
    random: () => 0,
    ...change,
    clock: change.clock ?? new FakeClock(),
  };
}
