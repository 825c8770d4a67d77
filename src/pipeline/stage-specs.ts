import { type BackPressureOptions, DEFAULT_WEIGHTS, type StageSpec } from '#libs/back-pressure';
import type { AppOptions } from '../config/app-options.js';
import { gatewayLatencyTargetMs } from '../gateway/gateway.options.js';
import { bufferBytes, shareBytes } from './buffer-memory.js';
import type { StageId } from './stage.js';

/** Settings that every stage has. */
interface StageOptions {
  readonly bufferSize: number;
  readonly creditReplenishRate: number;
  readonly trigger: number;
}

/** What differs between the stages beside their settings. */
interface StageTraits {
  readonly latencyTargetMs: number;
  readonly triggerOn: StageSpec['triggerOn'];
  readonly longestServiceMs?: number;
}

/** What the settings mean for the back-pressure controller: the five stages in their order, and the pipeline around them. */
export function backPressureOptions(options: AppOptions, limitBytes: number): BackPressureOptions {
  const { control, pipeline, gateway } = options;
  const budgetBytes = bufferBytes(pipeline, limitBytes);
  const stages = stageSpecs(options);
  const shares = shareBytes(
    budgetBytes,
    stages.map(({ capacity }) => capacity),
  );
  return {
    stages: stages.map((spec, i) => ({ ...spec, byteCapacity: shares[i]! })),
    pipeline: { capacity: pipeline.pipelineBufferSize, byteCapacity: budgetBytes },
    monitoringIntervalMs: control.monitoringIntervalMs,
    thresholds: {
      moderate: control.moderatePressureThreshold,
      high: control.highPressureThreshold,
      critical: control.criticalPressureThreshold,
    },
    errorTolerance: control.errorTolerance,
    admission: { queueCapacity: gateway.maxQueueSize },
    memoryLimitBytes: limitBytes,
  };
}

/** Upstream to downstream. */
function stageSpecs({ gateway, keygen, ingress, egress, finalSink }: AppOptions): StageSpec[] {
  return [
    spec('Gateway', gateway, {
      latencyTargetMs: gatewayLatencyTargetMs(gateway),
      triggerOn: 'queue-or-credit',
    }),
    spec('KeyGen', keygen, { latencyTargetMs: keygen.latencyTargetMs, triggerOn: 'queue' }),
    spec('IngressProcessing', ingress, {
      latencyTargetMs: ingress.latencyTargetMs,
      triggerOn: 'queue',
    }),
    spec('AsyncEgress', egress, {
      latencyTargetMs: egress.latencyTargetMs,
      triggerOn: 'in-service',
      longestServiceMs: egress.operationTimeoutMs,
    }),
    spec('FinalSink', finalSink, {
      latencyTargetMs: finalSink.latencyTargetMs,
      triggerOn: 'in-service',
      longestServiceMs: finalSink.acknowledgmentTimeoutMs,
    }),
  ];
}

function spec(id: StageId, options: StageOptions, traits: StageTraits): StageSpec {
  return {
    id,
    capacity: options.bufferSize,
    replenishPerSecond: options.creditReplenishRate,
    trigger: options.trigger,
    weights: DEFAULT_WEIGHTS[id],
    ...traits,
  };
}
