import type { Clock, RandomSource } from '#libs/flow-control';
import type { PressureWeights } from './pressure.js';
import type { ProcessProbe } from './process-probe.js';

/** Injects the options that the module was made with. */
export const BACK_PRESSURE_OPTIONS = Symbol('BACK_PRESSURE_OPTIONS');

/** What a stage's own trigger watches: its queue, the larger of queue and credit, or its work in service. */
export type TriggerSource = 'queue' | 'queue-or-credit' | 'in-service';

export interface StageSpec {
  readonly id: string;
  /** Credits of the stage, in records. */
  readonly capacity: number;
  /** Bytes that may be inside at a time. Default: no bound. */
  readonly byteCapacity?: number;
  /** Credits per second by which the stage reopens after a stall. */
  readonly replenishPerSecond: number;
  /** Ratio at which the stage's own trigger is raised; it clears at 90 % of it. */
  readonly trigger: number;
  readonly triggerOn: TriggerSource;
  readonly latencyTargetMs: number;
  readonly weights: PressureWeights;
  /** Longest time that one record may legally take; with work inside and no result for longer it is stuck. Default 0. */
  readonly longestServiceMs?: number;
}

/** What of a stage can change while it runs; absent = unchanged. */
export type StageLimits = Partial<
  Pick<StageSpec, 'capacity' | 'replenishPerSecond' | 'trigger' | 'latencyTargetMs'>
>;

export interface SemaphoreSpec {
  readonly permits: number;
  readonly queueCapacity: number;
  /** Stage whose queue the waiters for a permit belong to. Default: none. */
  readonly stage?: string;
}

export interface BackPressureOptions {
  /** Upstream to downstream; the first one is where records enter. */
  readonly stages: readonly StageSpec[];
  /** The pool from the caller to the destination's acknowledgment. */
  readonly pipeline: { readonly capacity: number; readonly byteCapacity: number };
  readonly monitoringIntervalMs: number;
  /** Pressures of the three reactions. */
  readonly thresholds: {
    readonly moderate: number;
    readonly high: number;
    readonly critical: number;
  };
  /** Share of failures above which a stage raises a trigger. */
  readonly errorTolerance: number;
  readonly admission: {
    /** Callers that may wait for credits at the entry. */
    readonly queueCapacity: number;
    /** How long one of them waits unless it says otherwise. Default 200 ms, the interval of admission control. */
    readonly waitMs?: number;
  };
  /** Named semaphores of the request handlers. */
  readonly semaphores?: Readonly<Record<string, SemaphoreSpec>>;
  /** Memory of the container, or absent: the machine's. */
  readonly memoryLimitBytes?: number;
  readonly clock?: Clock;
  readonly random?: RandomSource;
  /** Where memory and event-loop delay are read. Default: the running process. */
  readonly probe?: ProcessProbe;
}

/** The five stages' weights. */
export const DEFAULT_WEIGHTS = {
  Gateway: { queueOrCredit: 0.8, latency: 0.2 },
  KeyGen: { queue: 0.6, credit: 0.3, latency: 0.1 },
  IngressProcessing: { queue: 0.5, credit: 0.3, error: 0.2 },
  AsyncEgress: { credit: 0.4, latency: 0.4, error: 0.2 },
  FinalSink: { queue: 0.7, credit: 0.3 },
} as const satisfies Readonly<Record<string, PressureWeights>>;
