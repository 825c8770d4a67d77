import type { Clock, RandomSource } from '../clock.js';
import { SlidingRatio } from '../window/sliding-window.js';

/**
 * Stops the calls to one destination while it fails, and lets one probe at a time find out that it is back.
 *
 * Flow: closed → open after `failures` consecutive failures, or when at least ten results of the last ten
 * seconds have a failure ratio ≥ `ratio`. Open for `openMs`, doubling to `maxOpenMs`, ± jitter. The first
 * `tryCall` after that is a probe (half-open): three successes close the breaker and reset the time, one
 * failure opens it again. `trip` opens it on the owner's word. There is no timer: whoever waits asks again after
 * `retryInMs()`.
 *
 * Invariants: K1 – no ticket while open. K2 – at most one unsettled ticket in half-open. K3 – a neutral result
 * changes nothing but that the next record may probe. (4) Results of tickets from before the last change to
 * open or closed are ignored: late failures of an outage neither prolong it nor open the breaker anew.
 */
export type BreakerState = 'closed' | 'open' | 'half-open';

export interface CircuitBreakerOptions {
  /** First time of being open. */
  readonly openMs: number;
  /** Bound of the doubling, before jitter. */
  readonly maxOpenMs: number;
  /** Consecutive failures that open it. */
  readonly failures: number;
  /** Failure ratio (above 0, at most 1) that opens it. */
  readonly ratio: number;
  /** Share by which an open time varies up and down. Default 0.2. */
  readonly jitterRatio?: number;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** Leave to make one call. Must be settled on every path; only the first settling counts. */
export interface Ticket {
  success(): void;
  failure(): void;
  /** The call says nothing about the destination (an answer about the record, a cancelled call). */
  neutral(): void;
}

export interface CircuitBreakerSnapshot {
  readonly state: BreakerState;
  readonly consecutiveFailures: number;
  /** Results of the last ten seconds. */
  readonly results: number;
  readonly failureRatio: number;
  readonly retryInMs: number;
  /** Times it opened since the start. */
  readonly opened: number;
}

type Outcome = 'success' | 'failure' | 'neutral';

const DEFAULT_JITTER_RATIO = 0.2;
const SUCCESSES_TO_CLOSE = 3;
const MIN_RESULTS = 10;

export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #results: SlidingRatio;
  #state: BreakerState = 'closed';
  #consecutiveFailures = 0;
  #probeSuccesses = 0;
  #probing = false;
  #nextOpenMs: number;
  #openUntilMs = 0;
  #opened = 0;
  /** Counts changes to open and to closed; a ticket of an earlier epoch has no say. */
  #epoch = 0;
  readonly #watchers: ((state: BreakerState) => void)[] = [];

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
    this.#results = new SlidingRatio(options);
    this.#nextOpenMs = options.openMs;
  }

  /** Stays `open` after its time until somebody probes: reading changes nothing. */
  get state(): BreakerState {
    return this.#state;
  }

  /** A ticket for one call now, or `undefined`. Never waits. */
  tryCall(): Ticket | undefined {
    if (this.#state === 'open') {
      if (this.retryInMs() > 0) return undefined;
      this.#probeSuccesses = 0;
      this.#change('half-open');
    }
    if (this.#state === 'half-open') {
      if (this.#probing) return undefined;
      this.#probing = true;
    }
    return this.#ticket();
  }

  /**
   * 0 when `tryCall` may succeed now; while open the time left. While a probe is out nobody knows: `openMs`,
   * as a bound for asking again; the owner of the probe may ask as soon as it has settled.
   */
  retryInMs(): number {
    if (this.#state === 'open') return Math.max(0, this.#openUntilMs - this.#options.clock.now());
    return this.#probing ? this.#options.openMs : 0;
  }

  /** Opens it now, on other evidence than results; nothing happens when it is open. The open time goes on doubling. */
  trip(): void {
    if (this.#state !== 'open') this.#open();
  }

  /** Calls the watcher after each change of state. */
  watch(watcher: (state: BreakerState) => void): void {
    this.#watchers.push(watcher);
  }

  snapshot(): CircuitBreakerSnapshot {
    return {
      state: this.#state,
      consecutiveFailures: this.#consecutiveFailures,
      results: this.#results.total(),
      failureRatio: this.#results.ratio(1),
      retryInMs: this.retryInMs(),
      opened: this.#opened,
    };
  }

  #ticket(): Ticket {
    const epoch = this.#epoch;
    let isSettled = false;
    const settle = (outcome: Outcome): void => {
      if (isSettled) return;
      isSettled = true;
      if (epoch === this.#epoch) this.#settle(outcome);
    };
    return {
      success: () => settle('success'),
      failure: () => settle('failure'),
      neutral: () => settle('neutral'),
    };
  }

  #settle(outcome: Outcome): void {
    if (this.#state === 'closed') this.#settleCall(outcome);
    else this.#settleProbe(outcome);
  }

  #settleCall(outcome: Outcome): void {
    if (outcome === 'neutral') return;
    if (outcome === 'success') {
      this.#consecutiveFailures = 0;
      this.#results.success();
    } else {
      this.#consecutiveFailures += 1;
      this.#results.failure();
    }
    const { failures, ratio } = this.#options;
    const isRatioReached = this.#results.ratio(MIN_RESULTS) >= ratio;
    if (this.#consecutiveFailures >= failures || isRatioReached) this.#open();
  }

  #settleProbe(outcome: Outcome): void {
    this.#probing = false;
    if (outcome === 'failure') this.#open();
    if (outcome !== 'success') return;
    this.#probeSuccesses += 1;
    if (this.#probeSuccesses >= SUCCESSES_TO_CLOSE) this.#close();
  }

  #open(): void {
    const { clock, random, maxOpenMs, jitterRatio = DEFAULT_JITTER_RATIO } = this.#options;
    const jitter = 1 + jitterRatio * (2 * random() - 1);
    this.#openUntilMs = clock.now() + Math.min(maxOpenMs, this.#nextOpenMs) * jitter;
    this.#nextOpenMs *= 2;
    this.#probing = false;
    this.#opened += 1;
    this.#epoch += 1;
    this.#change('open');
  }

  #close(): void {
    this.#nextOpenMs = this.#options.openMs;
    this.#consecutiveFailures = 0;
    this.#results.reset();
    this.#epoch += 1;
    this.#change('closed');
  }

  #change(state: BreakerState): void {
    this.#state = state;
    for (const watcher of this.#watchers) watcher(state);
  }
}
