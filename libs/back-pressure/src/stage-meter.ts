import { type Clock, Ewma, SlidingCounter, TimeWeightedMean } from '#libs/flow-control';
import { TimeShares } from './time-shares.js';

/** What a stage reports about itself. Every call is cheap enough to be made per record. */
export interface StageMeter {
  /** Records inside that wait; at the last stages, those without a running call, send or statement. */
  queue(level: number): void;
  /** Bound of that queue. Default: the stage's window. */
  queueCapacity(capacity: number): void;
  /** Calls or pending acknowledgments, and how many the configuration allows. */
  inService(running: number, limit: number): void;
  /** Records that left the stage, and how long they were inside (a batch: the mean). */
  completed(count: number, latencyMs: number): void;
  /** Records that failed, once each; `timeout` when a destination did not answer in time. */
  failed(count: number, cause?: 'timeout'): void;
  /** A wait for credits of the next stage starts (true) or ends (false). Calls come in pairs. */
  blocked(isBlocked: boolean): void;
}

export interface StageGaugeOptions {
  readonly clock: Clock;
  /** A queue or in-service level has changed. */
  readonly onLevel: () => void;
  readonly onTimeout: () => void;
}

/** A latency of the past counts with 1/e after this time. */
const LATENCY_TAU_MS = 1000;

/** Fewer results than this say nothing about a ratio. */
const MIN_RESULTS = 10;

/** The measurements behind a stage's meter. Levels are kept as means over the time between two passes of the loop. */
export class StageGauge implements StageMeter {
  readonly shares: TimeShares;
  /** Results so far: completions and failures, counted by call. */
  samples = 0;
  timeouts = 0;
  running = 0;
  serviceLimit = Infinity;
  capacity = Infinity;
  private reported = 0;
  private atTheDoor = 0;
  private readonly queueMean: TimeWeightedMean;
  private readonly runningMean: TimeWeightedMean;
  private readonly latency: Ewma;
  private readonly completions: SlidingCounter;
  private readonly failures: SlidingCounter;

  constructor(private readonly options: StageGaugeOptions) {
    const { clock } = options;
    this.shares = new TimeShares(clock);
    this.queueMean = new TimeWeightedMean({ clock });
    this.runningMean = new TimeWeightedMean({ clock });
    this.latency = new Ewma({ tauMs: LATENCY_TAU_MS, clock });
    this.completions = new SlidingCounter({ clock });
    this.failures = new SlidingCounter({ clock });
  }

  queue(level: number): void {
    this.reported = level;
    this.changeQueue();
  }

  /** Callers in front of the stage who wait for something else than its credits (a permit). */
  waitAtTheDoor(change: 1 | -1): void {
    this.atTheDoor += change;
    this.changeQueue();
  }

  queueCapacity(capacity: number): void {
    this.capacity = capacity;
  }

  inService(running: number, limit: number): void {
    this.running = running;
    this.serviceLimit = limit;
    this.runningMean.set(running);
    this.options.onLevel();
  }

  completed(count: number, latencyMs: number): void {
    this.samples += 1;
    this.latency.add(latencyMs);
    this.completions.add(count);
  }

  failed(count: number, cause?: 'timeout'): void {
    this.samples += 1;
    this.failures.add(count);
    if (cause !== 'timeout') return;
    this.timeouts += 1;
    this.options.onTimeout();
  }

  blocked(isBlocked: boolean): void {
    this.shares.blocked(isBlocked);
  }

  get queued(): number {
    return this.reported + this.atTheDoor;
  }

  get meanQueued(): number {
    return this.queueMean.mean();
  }

  get meanRunning(): number {
    return this.runningMean.mean();
  }

  /** Exponentially weighted, of what completed. */
  get latencyMs(): number {
    return this.latency.value;
  }

  get perSecond(): number {
    return this.completions.perSecond();
  }

  /** Failures and results of the last ten seconds; none when there are too few results to tell. */
  errors(): { failures: number; results: number } {
    const failures = this.failures.sum();
    const results = failures + this.completions.sum();
    return results < MIN_RESULTS ? { failures: 0, results: MIN_RESULTS } : { failures, results };
  }

  /** Starts the means anew; called at the end of each pass of the loop. */
  restartMeans(): void {
    this.queueMean.restart();
    this.runningMean.restart();
  }

  private changeQueue(): void {
    this.queueMean.set(this.queued);
    this.options.onLevel();
  }
}
