import type { Clock } from '../clock.js';

export interface SlidingWindowOptions {
  readonly clock: Clock;
}

const BUCKET_COUNT = 10;
const BUCKET_MS = 1000;
const MS_PER_SECOND = 1000;
/** Fewer results say nothing about a ratio. */
const DEFAULT_MIN_RESULTS = 10;
/** A rate over a shorter time would be a guess from a few events. */
const MIN_SPAN_MS = 1000;

/**
 * What was counted in the current second of the clock and the nine before. Old seconds leave by the
 * clock alone: an idle counter reads 0 after ten seconds without anybody touching it.
 */
export class SlidingCounter {
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #counts = new Float64Array(BUCKET_COUNT);
  /** Second that each bucket was last used for. */
  readonly #seconds = new Float64Array(BUCKET_COUNT).fill(-Infinity);

  constructor({ clock }: SlidingWindowOptions) {
    this.#clock = clock;
    this.#startedMs = clock.now();
  }

  add(count = 1): void {
    const second = Math.floor(this.#clock.now() / BUCKET_MS);
    const bucket = second % BUCKET_COUNT;
    if (this.#seconds[bucket] !== second) {
      this.#seconds[bucket] = second;
      this.#counts[bucket] = 0;
    }
    this.#counts[bucket] = (this.#counts[bucket] as number) + count;
  }

  sum(): number {
    const oldest = Math.floor(this.#clock.now() / BUCKET_MS) - BUCKET_COUNT;
    let sum = 0;
    for (let i = 0; i < BUCKET_COUNT; i++) {
      if ((this.#seconds[i] as number) > oldest) sum += this.#counts[i] as number;
    }
    return sum;
  }

  /** `sum()` over the time it covers: nine seconds and the current one so far, or the counter's age; at least 1 s. */
  perSecond(): number {
    const nowMs = this.#clock.now();
    const coveredMs = (BUCKET_COUNT - 1) * BUCKET_MS + (nowMs % BUCKET_MS);
    const spanMs = Math.max(MIN_SPAN_MS, Math.min(coveredMs, nowMs - this.#startedMs));
    return (this.sum() * MS_PER_SECOND) / spanMs;
  }

  /** Forgets everything counted so far. */
  reset(): void {
    this.#seconds.fill(-Infinity);
  }
}

/** Share of failures among the results of the last ten seconds. Windowed, never lifetime. */
export class SlidingRatio {
  readonly #successes: SlidingCounter;
  readonly #failures: SlidingCounter;

  constructor(options: SlidingWindowOptions) {
    this.#successes = new SlidingCounter(options);
    this.#failures = new SlidingCounter(options);
  }

  success(count = 1): void {
    this.#successes.add(count);
  }

  failure(count = 1): void {
    this.#failures.add(count);
  }

  /** Failures / results; 0 while there are fewer than `minResults` (at least 1) results. */
  ratio(minResults = DEFAULT_MIN_RESULTS): number {
    const failures = this.failures();
    const total = failures + this.#successes.sum();
    return total < Math.max(1, minResults) ? 0 : failures / total;
  }

  total(): number {
    return this.failures() + this.#successes.sum();
  }

  failures(): number {
    return this.#failures.sum();
  }

  /** Forgets every result. */
  reset(): void {
    this.#successes.reset();
    this.#failures.reset();
  }
}
