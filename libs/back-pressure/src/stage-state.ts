import { type Clock, CreditPool, type PoolSize } from '#libs/flow-control';
import type { StageLimits, StageSpec } from './back-pressure.options.js';
import { type Input, inputOf, type StageInputs } from './pressure.js';
import { StageGauge } from './stage-meter.js';
import { Trigger, type TriggerChange } from './trigger.js';

export interface StageStateOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly errorTolerance: number;
  /** Only for the stage where records enter. */
  readonly entry?: {
    readonly pipeline: CreditPool;
    readonly queueCapacity: number;
    readonly onAvailable: () => void;
  };
  readonly onRaised: (change: TriggerChange) => void;
  readonly onCleared: (change: TriggerChange) => void;
}

/** Sizes of the pool that belong neither to the reactions nor to the specification. */
export type StageResize = Omit<PoolSize, 'factor' | 'capacity' | 'replenishPerSecond'>;

/** What a stage works on, for the sentence about a bottleneck. */
const IN_SERVICE: Readonly<Record<string, string>> = {
  AsyncEgress: 'running calls',
  FinalSink: 'pending acknowledgments',
};

/** A stage counts as idle when nothing is inside and the last pass that saw a result is half an interval ago. */
const IDLE_INTERVALS = 0.5;
/** A stage is stuck after this many intervals without a result, or after its longest legal service and a second. */
const STUCK_INTERVALS = 2;
const SERVICE_GRACE_MS = 1000;

/**
 * One stage as the controller sees it: its credits, its measurements, its triggers.
 *
 * 1. Inputs are measured against `sized` and configured values, which no reaction changes (L1).
 * 2. `inputs()` changes nothing; `settle()` ends a pass.
 */
export class StageState {
  readonly pool: CreditPool;
  readonly gauge: StageGauge;
  /** Factor of the reaction in force. */
  creditFactor = 1;
  /** Raised by the stage's own trigger; part of `shouldThrottleStage`. */
  readonly trigger: Trigger;
  private readonly latencyTrigger: Trigger;
  private readonly errorTrigger: Trigger;
  private readonly timeoutTrigger: Trigger;
  private latencyTargetMs: number;
  private inServiceLimit = 0;
  private seenSamples = 0;
  private seenTimeouts = 0;
  private lastSampleMs: number;

  constructor(
    readonly spec: StageSpec,
    private readonly options: StageStateOptions,
  ) {
    const { clock, errorTolerance, entry } = options;
    const { id, capacity, byteCapacity, replenishPerSecond, triggerOn } = spec;
    this.lastSampleMs = clock.now();
    this.latencyTargetMs = spec.latencyTargetMs;
    this.pool = new CreditPool({
      name: id,
      capacity,
      replenishPerSecond,
      clock,
      ...(byteCapacity === undefined ? {} : { byteCapacity }),
      onAvailable: () => this.afterRelease(),
    });
    this.gauge = new StageGauge({
      clock,
      onLevel: () => this.checkLevel(),
      onTimeout: () => this.timeoutTrigger.update(1),
    });
    if (entry !== undefined) this.gauge.queueCapacity(entry.queueCapacity);
    const exceeded = 'exceeded';
    // "Above 45 of 50 calls", but "at 70 % of the queue".
    const raisedWhen = triggerOn === 'in-service' ? exceeded : 'reached';
    this.trigger = this.triggerOf(triggerOn, spec.trigger, raisedWhen);
    this.latencyTrigger = this.triggerOf('latency', spec.latencyTargetMs, exceeded);
    this.errorTrigger = this.triggerOf('error', errorTolerance, exceeded);
    this.timeoutTrigger = this.triggerOf('timeout', 0, exceeded);
  }

  /** To be called after each grant. */
  granted(): void {
    this.gauge.shares.begin();
    if (this.spec.triggerOn === 'queue-or-credit') this.checkLevel();
  }

  resize(change: StageResize): void {
    this.inServiceLimit = change.inServiceLimit ?? this.inServiceLimit;
    this.pool.resize(change);
  }

  /** Takes other limits than those of the specification; what is not named stays. */
  configure({ trigger, latencyTargetMs, ...size }: StageLimits): void {
    this.pool.resize(size);
    if (trigger !== undefined) this.trigger.moveTo(trigger);
    if (latencyTargetMs === undefined) return;
    this.latencyTargetMs = latencyTargetMs;
    this.latencyTrigger.moveTo(latencyTargetMs);
  }

  inputs(): StageInputs {
    const { failures, results } = this.gauge.errors();
    return {
      queue: this.queueInput(),
      credit: this.creditInput(),
      latency: inputOf('ms of latency', this.latencyMs(), this.latencyTargetMs),
      error: inputOf('failures of results', failures, results),
      stuckMs: this.stuckMs(),
    };
  }

  /** A reaction is in force, and the pool has nothing more to give. */
  get isHeld(): boolean {
    const { waiting, outstanding, limit } = this.pool;
    return this.creditFactor < 1 && (waiting > 0 || outstanding >= limit);
  }

  /** Sets the factor by which a reaction shortens the queue of the stage. */
  react(factor: number): void {
    this.creditFactor = factor;
    this.pool.resize({ factor });
  }

  /** Ends a pass: what it saw is compared with the thresholds, and measured anew from here. */
  settle(inputs: StageInputs): void {
    const { samples, timeouts } = this.gauge;
    if (samples !== this.seenSamples) this.lastSampleMs = this.options.clock.now();
    this.seenSamples = samples;
    this.latencyTrigger.update(inputs.latency.value);
    this.errorTrigger.update(inputs.error.ratio);
    if (timeouts === this.seenTimeouts) this.timeoutTrigger.update(0);
    this.seenTimeouts = timeouts;
    this.checkLevel();
    this.gauge.restartMeans();
  }

  private triggerOf(
    signal: string,
    threshold: number,
    raisedWhen: 'reached' | 'exceeded',
  ): Trigger {
    const { clock, intervalMs, onRaised, onCleared } = this.options;
    const stage = this.spec.id;
    return new Trigger({
      stage,
      signal,
      threshold,
      raisedWhen,
      intervalMs,
      clock,
      onRaised,
      onCleared,
    });
  }

  private afterRelease(): void {
    if (this.pool.outstanding === 0) this.gauge.shares.end();
    this.options.entry?.onAvailable();
  }

  private checkLevel(): void {
    const { queued, running, serviceLimit } = this.gauge;
    switch (this.spec.triggerOn) {
      case 'in-service':
        return this.trigger.update(running / serviceLimit);
      case 'queue':
        return this.trigger.update(queued / this.queueBound());
      case 'queue-or-credit':
        return this.trigger.update(Math.max(queued / this.queueBound(), this.creditRatio()));
    }
  }

  /** What waits at the entry is not inside it, so the entry's window does not bound it. */
  private queueBound(): number {
    const { capacity } = this.gauge;
    return this.options.entry === undefined ? Math.min(capacity, this.pool.sized) : capacity;
  }

  private queueInput(): Input {
    const { meanQueued, meanRunning, serviceLimit } = this.gauge;
    const { id, triggerOn } = this.spec;
    if (triggerOn !== 'in-service') return inputOf('queued', meanQueued, this.queueBound());
    const running = inputOf(IN_SERVICE[id] ?? 'in service', meanRunning, serviceLimit);
    const room = Math.max(1, this.pool.sized - this.inServiceLimit);
    const waiting = inputOf('waiting records', meanQueued, room);
    return waiting.ratio > running.ratio ? waiting : running;
  }

  private creditInput(): Input {
    const own = inputOf('credits', this.pool.outstanding, this.pool.sized);
    const pipeline = this.options.entry?.pipeline;
    if (pipeline === undefined) return own;
    const all = inputOf('credits of the pipeline', pipeline.outstanding, pipeline.sized);
    return all.ratio > own.ratio ? all : own;
  }

  private creditRatio(): number {
    const own = this.pool.outstanding / this.pool.sized;
    const pipeline = this.options.entry?.pipeline;
    return pipeline === undefined ? own : Math.max(own, pipeline.outstanding / pipeline.sized);
  }

  /** The age of the oldest record inside makes a hung call visible before it ends. */
  private latencyMs(): number {
    const quietMs = this.quietMs();
    const isIdle =
      this.pool.outstanding === 0 && quietMs >= this.options.intervalMs * IDLE_INTERVALS;
    return isIdle ? 0 : Math.max(this.gauge.latencyMs, this.pool.oldestOutstandingMs());
  }

  private stuckMs(): number {
    const quietMs = Math.min(this.quietMs(), this.pool.oldestOutstandingMs());
    const { longestServiceMs = 0 } = this.spec;
    const legalMs = Math.max(
      STUCK_INTERVALS * this.options.intervalMs,
      longestServiceMs + SERVICE_GRACE_MS,
    );
    return quietMs >= legalMs ? quietMs : 0;
  }

  /** Time since the pass that saw the last result; 0 when one came since. */
  private quietMs(): number {
    if (this.gauge.samples !== this.seenSamples) return 0;
    return this.options.clock.now() - this.lastSampleMs;
  }
}
