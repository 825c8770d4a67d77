import type { Clock } from './clock.js';

/**
 * A rate limit without a timer (GCRA): one number, the moment at which everything admitted so far would
 * have been due at the configured rate ("theoretical arrival time"), says whether the next record conforms.
 *
 * Flows: `tryTake` asks and charges in one step. When the size is known only later, `tryTake()` charges the
 * first record and `charge` the others; `giveBack` returns the share of what was refused afterwards.
 *
 * Invariants: B1 – in any span t, single records admitted ≤ burst + rate × t; arrays may go over by 1 s of
 * rate. (2) A refusal changes nothing. (3) Giving back never admits more than a full burst at once.
 */
export interface TokenBucketOptions {
  /** Records a second; 0 = unlimited. */
  readonly ratePerSecond: number;
  /** Records admitted at once after a pause, at least 1. Default: 50 ms worth of the rate, at least 1. */
  readonly burst?: number;
  readonly clock: Clock;
}

/** `retryAfterMs`: the same request conforms then if nobody else takes; `Infinity` = it never will. */
export type TakeResult =
  { readonly admitted: true } | { readonly admitted: false; readonly retryAfterMs: number };

const MS_PER_SECOND = 1000;
/** Small enough that a busy second stays within ± 1 % of the rate over 10 s. */
const DEFAULT_BURST_MS = 50;
/** Sums of fractional intervals miss the exact moment by a few ulp; a record due now is not refused for that. */
const ROUNDING_MS = 1e-6;

const ADMITTED: TakeResult = Object.freeze({ admitted: true });
const NEVER: TakeResult = Object.freeze({ admitted: false, retryAfterMs: Infinity });

export class TokenBucket {
  readonly #clock: Clock;
  readonly #fixedBurst: number | undefined;
  #ratePerSecond = 0;
  #intervalMs = 0;
  #toleranceMs = 0;
  /** A number from the start: a field that was once `undefined` boxes every later value. */
  #dueAtMs = 0;

  constructor({ ratePerSecond, burst, clock }: TokenBucketOptions) {
    if (burst !== undefined && !(burst >= 1)) {
      throw new RangeError(`burst must be at least 1 record, got ${burst}.`);
    }
    this.#clock = clock;
    this.#fixedBurst = burst;
    this.#dueAtMs = clock.now();
    this.resize(ratePerSecond);
  }

  /** Largest `count` that `tryTake` can admit: 1 s of rate, at least 1. A longer array is split by the caller. */
  get perSecondMax(): number {
    return this.#ratePerSecond === 0 ? Infinity : Math.max(1, Math.floor(this.#ratePerSecond));
  }

  /** Admits all of `count` if the first record conforms and `count` ≤ `perSecondMax`; else charges nothing. */
  tryTake(count = 1): TakeResult {
    if (this.#intervalMs === 0) return ADMITTED;
    if (count > this.perSecondMax) return NEVER;
    const nowMs = this.#clock.now();
    const startMs = this.#dueAtMs > nowMs ? this.#dueAtMs : nowMs;
    const earlyByMs = startMs - nowMs - this.#toleranceMs;
    if (earlyByMs > ROUNDING_MS) return { admitted: false, retryAfterMs: earlyByMs };
    this.#dueAtMs = startMs + count * this.#intervalMs;
    return ADMITTED;
  }

  /** Charges `count` records without asking: the rest of a request whose first record was admitted. */
  charge(count: number): void {
    this.#dueAtMs = Math.max(this.#dueAtMs, this.#clock.now()) + count * this.#intervalMs;
  }

  /** Returns the share of `count` charged records that were refused later: only accepted records cost. */
  giveBack(count: number): void {
    this.#dueAtMs -= count * this.#intervalMs;
  }

  /** Changes the rate (0 = unlimited). What is already charged keeps its due time, so nobody waits longer for it. */
  resize(ratePerSecond: number): void {
    if (!(ratePerSecond >= 0 && ratePerSecond < Infinity)) {
      throw new RangeError(`ratePerSecond must be a number ≥ 0, got ${ratePerSecond}.`);
    }
    const burst =
      this.#fixedBurst ?? Math.max(1, (ratePerSecond * DEFAULT_BURST_MS) / MS_PER_SECOND);
    this.#ratePerSecond = ratePerSecond;
    this.#intervalMs = ratePerSecond === 0 ? 0 : MS_PER_SECOND / ratePerSecond;
    this.#toleranceMs = (burst - 1) * this.#intervalMs;
  }
}
