import { type Quota, RateLimitedError } from '#libs/back-pressure';
import { type Clock, TokenBucket } from '#libs/flow-control';

/** What records are charged to. */
export interface RecordRateOptions {
  /** 0: no limit. */
  readonly ratePerSecond: number;
  readonly clock: Clock;
  /** Of its refusals: `rate`, `tenant-rate`. */
  readonly signal: string;
  /** Whose rate it is, in a sentence. */
  readonly owner: string;
  /** The rate that is charged as well: that of all tenants together. */
  readonly outer?: RecordRate;
}

/** A second of rate is what a batch is given at once. */
const ABOVE_A_SECOND_RETRY_MS = 1000;

/**
 * A rate of records, and the wider one around it.
 *
 * RR1 records are charged to both rates or to none.
 */
export class RecordRate {
  private readonly bucket: TokenBucket;
  private quota: Quota;

  constructor(private readonly options: RecordRateOptions) {
    const { ratePerSecond, clock, signal } = options;
    this.bucket = new TokenBucket({ ratePerSecond, clock });
    const name = signal === 'rate' ? 'records' : signal;
    this.quota = { name, limit: ratePerSecond, windowSeconds: 1 };
  }

  /** Changes the rate (0: no limit); the one around it stays. */
  resize(ratePerSecond: number): void {
    this.bucket.resize(ratePerSecond);
    this.quota = { ...this.quota, limit: ratePerSecond };
  }

  /** The most that `take` can give at once: one second of rate. */
  get perSecondMax(): number {
    return Math.min(this.bucket.perSecondMax, this.options.outer?.perSecondMax ?? Infinity);
  }

  /** Charges `count` records, at most `perSecondMax`; or charges nothing and gives the refusal. */
  take(count = 1): RateLimitedError | undefined {
    const taken = this.bucket.tryTake(count);
    if (!taken.admitted) return this.refusal(taken.retryAfterMs);
    const refused = this.options.outer?.take(count);
    if (refused !== undefined) this.bucket.giveBack(count);
    return refused;
  }

  /** Charges the rest of a batch whose first record was admitted. */
  charge(count: number): void {
    this.bucket.charge(count);
    this.options.outer?.charge(count);
  }

  /** Returns the share of what was refused later: only accepted records cost. */
  giveBack(count: number): void {
    this.bucket.giveBack(count);
    this.options.outer?.giveBack(count);
  }

  /** The refusal of what a batch has above one second of rate. */
  aboveASecond(): RateLimitedError {
    const { outer } = this.options;
    if (outer !== undefined && outer.perSecondMax < this.bucket.perSecondMax) {
      return outer.aboveASecond();
    }
    return this.refusal(ABOVE_A_SECOND_RETRY_MS);
  }

  private refusal(retryAfterMs: number): RateLimitedError {
    const { signal, owner } = this.options;
    const { quota } = this;
    const detail = `${owner} of ${quota.limit} records a second is used up for ${Math.ceil(retryAfterMs)} ms.`;
    return new RateLimitedError({ stage: 'Gateway', signal, retryAfterMs, detail, quota });
  }
}
