import { Inject, Injectable } from '@nestjs/common';
import {
  type AcquireOptions,
  type BoundedSemaphore,
  type Clock,
  CreditPool,
  type CreditPoolSnapshot,
  type Lane,
  type LatencyHistogram,
  type Lot,
  type Permit,
  type RandomSource,
  type Sizes,
  SystemClock,
  type WaitOptions,
} from '#libs/flow-control';
import { type Admission, AdmissionQueue, type AdmitOptions } from './admission-queue.js';
import { BackPressureEvents } from './back-pressure.events.js';
import {
  BACK_PRESSURE_OPTIONS,
  type BackPressureOptions,
  type SemaphoreSpec,
  type StageLimits,
} from './back-pressure.options.js';
import { CapacityExhaustedError } from './errors/capacity-exhausted.error.js';
import { NamedSemaphores } from './named-semaphores.js';
import { type PipelineStatus, pipelineStatus } from './pipeline-status.js';
import type { Bottleneck } from './pressure.js';
import { PressureLoop } from './pressure-loop.js';
import { ProcessInputs } from './process-inputs.js';
import { SystemProbe } from './process-probe.js';
import { throttleDelayMs } from './reactions.js';
import { serviceTimeMs } from './retry-after.js';
import type { StageMeter } from './stage-meter.js';
import { type StageResize, StageState } from './stage-state.js';

/** The name of the pool from the caller to the destination's acknowledgment. */
const PIPELINE = 'pipeline';

/** Default wait for credits at the entry: the interval of admission control. */
const DEFAULT_ADMISSION_WAIT_MS = 200;

/**
 * Policy of the pipeline: who may enter which stage, how loaded each stage is, what follows from that.
 *
 * ```
 * callers ─ tryAdmit/admit ─▶ pipeline + entry credits ─▶ stage ─ requestCredits ─▶ next stage … ─▶ release
 *    ▲                                                      │ meter
 *    └── delay, 429 ◀── reactions ◀── pressures, propagated ◀┘   (pass: every interval, at once on a trigger)
 * ```
 * The only place that owns credit pools. The arithmetic is in pressure.ts and reactions.ts, the pass in pressure-loop.ts,
 * a stage's measurements in stage-state.ts, the line at the entry in admission-queue.ts.
 *
 * 1. `requestCredits` and `tryAdmit` never wait and cost no promise, timer or closure.
 * 2. Reading (status, throttle, bottleneck) changes nothing and shows what the last pass found.
 * 3. A reaction shortens queues; it never goes below what a stage works on (`inServiceLimit`) or below one credit, and no
 *    pressure is measured against what it reduced.
 */
@Injectable()
export class BackPressureController {
  readonly events = new BackPressureEvents();
  /** The stage where records enter. */
  readonly entryStage: string;
  private readonly clock: Clock;
  private readonly pipeline: CreditPool;
  private readonly stages: readonly StageState[];
  private readonly indexes: ReadonlyMap<string, number>;
  private readonly admission: AdmissionQueue;
  private readonly process: ProcessInputs;
  private readonly loop: PressureLoop;
  private readonly semaphores: NamedSemaphores;

  constructor(@Inject(BACK_PRESSURE_OPTIONS) private readonly options: BackPressureOptions) {
    const { stages, memoryLimitBytes, thresholds, monitoringIntervalMs: intervalMs } = options;
    const [entry] = stages;
    if (entry === undefined) throw new RangeError('stages must name at least one stage');
    this.clock = options.clock ?? new SystemClock();
    const { clock, events } = this;
    this.entryStage = entry.id;
    this.pipeline = new CreditPool({
      ...options.pipeline,
      name: PIPELINE,
      clock,
      onAvailable: () => this.admission.serve(),
    });
    this.stages = this.makeStages();
    this.indexes = new Map(stages.map(({ id }, index) => [id, index]));
    if (this.indexes.size < stages.length) throw new RangeError('stages must have different ids');
    this.admission = this.makeAdmission();
    this.process = new ProcessInputs(options.probe ?? new SystemProbe(clock, memoryLimitBytes));
    const { pipeline, process } = this;
    this.loop = new PressureLoop({
      stages: this.stages,
      pipeline,
      process,
      thresholds,
      intervalMs,
      clock,
      events,
    });
    this.semaphores = new NamedSemaphores(clock, (stage, change) =>
      this.state(stage).gauge.waitAtTheDoor(change),
    );
    for (const [name, spec] of Object.entries(options.semaphores ?? {})) this.semaphore(name, spec);
  }

  /** The randomness of the answers' jitter. */
  get random(): RandomSource {
    return this.options.random ?? Math.random;
  }

  /** Never waits. Grants the longest prefix of `count` records that fits; undefined: nothing, or others wait. */
  requestCredits(stage: string, count: number, sizes?: Sizes, lane?: Lane): Lot | undefined {
    const state = this.state(stage);
    const lot = state.pool.request(count, sizes, lane);
    if (lot !== undefined) state.granted();
    return lot;
  }

  /** Waits in line (FIFO) for 1..count credits. Meanwhile the stage before counts as blocked. Rejects as CreditPool.acquire. */
  async acquireCredits(stage: string, count: number, options: AcquireOptions = {}): Promise<Lot> {
    const index = this.indexOf(stage);
    const state = this.state(stage);
    const before = this.stages[index - 1]?.gauge;
    before?.blocked(true);
    try {
      const lot = await state.pool.acquire(count, options);
      state.granted();
      return lot;
    } finally {
      before?.blocked(false);
    }
  }

  /** The count form of `requestCredits`: no lot, no bytes, no age; returns how many were granted. */
  requestCreditCount(stage: string, count: number): number {
    const state = this.state(stage);
    const granted = state.pool.requestCount(count);
    if (granted > 0) state.granted();
    return granted;
  }

  /** Gives back credits of the count form; a surplus is counted and ignored. */
  replenishCredits(stage: string, count: number): void {
    this.state(stage).pool.replenish(count);
  }

  /** Never waits. A credit of the entry and of the pipeline for each record, in one step, or nothing. */
  tryAdmit(count: number, sizes?: Sizes): Admission | undefined {
    const admission = this.admission.tryAdmit(count, sizes);
    if (admission !== undefined) this.entry.granted();
    return admission;
  }

  /** Waits in the bounded line at the entry. Rejects with CapacityExhaustedError, CreditWaitAbortedError or PoolClosedError. */
  async admit(count: number, options?: AdmitOptions): Promise<Admission> {
    const admission = await this.admission.admit(count, options);
    this.entry.granted();
    return admission;
  }

  /** For records that were accepted before (recovery): waits before everybody at the entry, without a deadline. */
  acquirePipelineCredits(
    count: number,
    options: Pick<AcquireOptions, 'sizes' | 'signal'> = {},
  ): Promise<Lot> {
    return this.pipeline.acquire(count, options);
  }

  /**
   * Whether callers of the stage are to hold back: its trigger is raised, pressure reached the first reaction, or it or
   * the next stage is held: a reaction is in force and its pool full, which is why its pressure reads lower now.
   */
  shouldThrottleStage(stage: string): boolean {
    const index = this.indexOf(stage);
    const isHeld = this.stages.slice(index, index + 2).some((state) => state.isHeld);
    return isHeld || this.getStageThrottleDelayMs(stage) > 0;
  }

  /** How long callers of the stage are to be delayed before they ask for credits. */
  getStageThrottleDelayMs(stage: string): number {
    const index = this.indexOf(stage);
    const { trigger } = this.state(stage);
    const { effective } = this.loop.stage(index);
    return throttleDelayMs(effective, trigger.isRaised, this.options.thresholds);
  }

  /** False while the entry throttles early (its trigger) or resident memory is high: bulk goes first. */
  get admitsBulk(): boolean {
    const { residentMemory } = this.loop.latest.process;
    return !this.entry.trigger.isRaised && residentMemory < this.options.thresholds.moderate;
  }

  getPipelineStatus(): PipelineStatus {
    return pipelineStatus(this.loop.latest, this.stages, (stage) => ({
      throttled: this.shouldThrottleStage(stage),
      throttleDelayMs: this.getStageThrottleDelayMs(stage),
    }));
  }

  /** The pool of a stage, or of the whole pipeline, with its running counters. */
  credits(stage: string): CreditPoolSnapshot {
    return stage === PIPELINE ? this.pipeline.snapshot() : this.state(stage).pool.snapshot();
  }

  meter(stage: string): StageMeter {
    return this.state(stage).gauge;
  }

  /** Resizes a stage's pool; what is not named stays. The factor belongs to the reactions. */
  resizeStage(stage: string, change: StageResize): void {
    this.state(stage).resize(change);
  }

  /** Changes what the stage was specified with; counts from the next grant and the next measurement on. */
  configureStage(stage: string, change: StageLimits): void {
    this.state(stage).configure(change);
  }

  /** Declares that the stage cannot work (breaker open, sink paused), and its end: the pool then reopens slowly. */
  stalled(stage: string, isStalled: boolean): void {
    this.state(stage).pool.stalled(isStalled);
  }

  /** Adds a process-wide input, 0..1 and already scaled, read at each pass. */
  setProcessInput(dimension: 'memory' | 'network', name: string, read: () => number): void {
    this.process.add(dimension, name, read);
  }

  /** A named semaphore; with a spec it is made, or resized. */
  semaphore(name: string, spec?: SemaphoreSpec): BoundedSemaphore {
    return this.semaphores.get(name, spec);
  }

  /** Waits for a permit; the wait counts into the queue of the semaphore's stage. */
  acquirePermit(name: string, options: WaitOptions = {}): Promise<Permit> {
    return this.semaphores.acquire(name, {
      ...options,
      timeoutMs: options.timeoutMs ?? this.waitMs,
    });
  }

  /** How long callers of `acquirePermit` waited; those who found a permit free by `tryAcquire` are not among them. */
  permitWaits(name: string): LatencyHistogram {
    return this.semaphores.waits(name);
  }

  get bottleneck(): Bottleneck | undefined {
    return this.loop.latest.bottleneck;
  }

  /** The error for a caller who cannot be served: names the bottleneck's stage, or the given one without a bottleneck. */
  refusal(stage: string, signal: string, detail?: string): CapacityExhaustedError {
    const { bottleneck } = this;
    const cause = this.indexes.get(bottleneck?.stage ?? stage) ?? this.indexOf(stage);
    const { stage: named, own, effective } = this.loop.stage(cause);
    const perSecond = this.stages.at(-1)?.gauge.perSecond ?? 0;
    return new CapacityExhaustedError({
      stage: named,
      signal,
      pressure: named === bottleneck?.stage ? own : effective,
      retryAfterMs: serviceTimeMs(this.admission.waiting, perSecond),
      detail: detail ?? `${stage} has no room: ${bottleneck?.sentence ?? signal}`,
    });
  }

  /** Starts the loop. Idempotent. */
  start(): void {
    this.process.start();
    this.loop.start();
  }

  /** Ends the loop and every wait; what is granted still comes back. Idempotent. */
  stop(): void {
    this.loop.stop();
    this.process.stop();
    this.admission.close();
    this.semaphores.close();
    for (const { pool } of this.stages) pool.close();
    this.pipeline.close();
  }

  /** One pass of the pressure loop. */
  evaluate(): void {
    this.loop.pass();
  }

  /** How long a request waits for credits or a permit unless it says otherwise. */
  get waitMs(): number {
    return this.options.admission.waitMs ?? DEFAULT_ADMISSION_WAIT_MS;
  }

  private get entry(): StageState {
    return this.state(this.entryStage);
  }

  private makeStages(): StageState[] {
    const { clock, pipeline, events } = this;
    const { stages, monitoringIntervalMs: intervalMs, errorTolerance, admission } = this.options;
    const { queueCapacity } = admission;
    const entry = { pipeline, queueCapacity, onAvailable: () => this.admission.serve() };
    return stages.map(
      (spec, index) =>
        new StageState(spec, {
          clock,
          intervalMs,
          errorTolerance,
          ...(index === 0 ? { entry } : {}),
          onRaised: (change) => {
            events.emit('trigger', change);
            this.loop.pass();
          },
          onCleared: (change) => events.emit('triggerCleared', change),
        }),
    );
  }

  private makeAdmission(): AdmissionQueue {
    const { clock, pipeline, entry, waitMs } = this;
    return new AdmissionQueue({
      entry: entry.pool,
      pipeline,
      capacity: this.options.admission.queueCapacity,
      waitMs,
      clock,
      onWaiting: (waiting) => entry.gauge.queue(waiting),
      refusal: (signal) => this.refusal(this.entryStage, signal),
    });
  }

  private state(stage: string): StageState {
    return this.stages[this.indexOf(stage)] as StageState;
  }

  private indexOf(stage: string): number {
    const index = this.indexes.get(stage);
    if (index === undefined) throw new RangeError(`There is no stage "${stage}"`);
    return index;
  }
}
