import type { CreditPoolSnapshot } from '#libs/flow-control';
import type { Bottleneck, Level, ProcessPressure } from './pressure.js';
import type { Assessment, StageAssessment } from './pressure-loop.js';
import type { StageState } from './stage-state.js';
import type { TimeSharesReading } from './time-shares.js';

export interface StageStatus extends TimeSharesReading {
  readonly stage: string;
  /** Own pressure; `level` is its word. */
  readonly pressure: number;
  readonly effectivePressure: number;
  readonly level: Level;
  readonly queueUtilization: number;
  readonly creditUtilization: number;
  /** The larger of the mean and the age of the oldest record inside. */
  readonly processingLatencyMs: number;
  readonly errorRate: number;
  readonly throttled: boolean;
  readonly throttleDelayMs: number;
  /** Work is inside and nothing comes out. */
  readonly stale: boolean;
  readonly credits: Readonly<
    Record<'capacity' | 'window' | 'limit' | 'available' | 'outstanding' | 'waiting', number>
  >;
  /** A capacity or limit without a bound is null. */
  readonly bytes: {
    readonly capacity: number | null;
    readonly limit: number | null;
    readonly outstanding: number;
  };
  /** Running calls, or pending acknowledgments, and how many may be; null for a stage without. */
  readonly inService: { readonly running: number; readonly limit: number } | null;
  /** Factor of the reaction in force. */
  readonly creditFactor: number;
  readonly oldestMs: number;
  readonly perSecond: number;
}

export interface PipelineStatus {
  readonly pressure: number;
  readonly level: Level;
  readonly meanPressure: number;
  readonly bottleneck: Bottleneck | null;
  readonly stages: readonly StageStatus[];
  readonly process: ProcessPressure;
}

/** Pressures are those of the last pass, which the controller acts on; credits, shares and rates are of now. */
export function pipelineStatus(
  latest: Assessment,
  stages: readonly StageState[],
  throttle: (stage: string) => { throttled: boolean; throttleDelayMs: number },
): PipelineStatus {
  const { pressure, level, meanPressure, bottleneck, process } = latest;
  return {
    pressure,
    level,
    meanPressure,
    bottleneck: bottleneck ?? null,
    stages: latest.stages.flatMap((assessed, i) => {
      const state = stages[i];
      return state === undefined ? [] : [stageStatus(assessed, state, throttle(assessed.stage))];
    }),
    process: { memory: process.memory, network: process.network },
  };
}

function stageStatus(
  { stage, own, effective, level, inputs }: StageAssessment,
  state: StageState,
  throttle: { throttled: boolean; throttleDelayMs: number },
): StageStatus {
  const pool = state.pool.snapshot();
  return {
    stage,
    pressure: own,
    effectivePressure: effective,
    level,
    queueUtilization: inputs.queue.ratio,
    creditUtilization: inputs.credit.ratio,
    processingLatencyMs: inputs.latency.value,
    errorRate: inputs.error.ratio,
    ...throttle,
    stale: inputs.stuckMs > 0,
    credits: creditsOf(pool),
    bytes: bytesOf(pool),
    inService: inServiceOf(state),
    creditFactor: state.creditFactor,
    ...state.gauge.shares.read(),
    oldestMs: pool.oldestMs,
    perSecond: state.gauge.perSecond,
  };
}

function creditsOf(pool: CreditPoolSnapshot): StageStatus['credits'] {
  const { capacity, window, limit, available, outstanding, waiting } = pool;
  return { capacity, window, limit, available, outstanding, waiting };
}

function inServiceOf({ gauge }: StageState): StageStatus['inService'] {
  const { running, serviceLimit: limit } = gauge;
  return Number.isFinite(limit) ? { running, limit } : null;
}

/** JSON knows no Infinity. */
function bytesOf({ bytes }: CreditPoolSnapshot): StageStatus['bytes'] {
  const bound = (value: number): number | null => (Number.isFinite(value) ? value : null);
  const { capacity, limit, outstanding } = bytes;
  return { capacity: bound(capacity), limit: bound(limit), outstanding };
}
