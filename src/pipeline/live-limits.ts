import type { StageId } from './stage-id.js';

/** What an operator may change of a stage while it runs, by the names of its settings. */
export interface LimitValues {
  readonly bufferSize: number;
  readonly creditReplenishRate: number;
  readonly trigger: number;
  readonly latencyTargetMs: number;
  /** Gateway. */
  readonly maxRequestsPerSecond?: number;
  /** Gateway. */
  readonly maxConcurrentRequests?: number;
  /** IngressProcessing. */
  readonly maxBufferSize?: number;
  /** AsyncEgress. */
  readonly maxConcurrentOperations?: number;
  /** FinalSink. */
  readonly maxPendingAcknowledgments?: number;
}

type Listener = (values: LimitValues) => void;

/**
 * The limits of stages that an operator has changed. A stage reads its settings at the start and listens here for what
 * holds instead. What is inside stays inside: a smaller limit comes true as work leaves.
 */
export class LiveLimits {
  private readonly listeners = new Map<StageId, Listener[]>();

  /** The listener is called with each change, and must not throw. */
  watch(stage: StageId, listener: Listener): void {
    const listeners = this.listeners.get(stage) ?? [];
    this.listeners.set(stage, [...listeners, listener]);
  }

  /** Tells the stage what holds from now on: all of its limits, changed or not. */
  set(stage: StageId, values: LimitValues): void {
    for (const listener of this.listeners.get(stage) ?? []) listener(values);
  }
}
