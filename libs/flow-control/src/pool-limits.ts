import { requireAtLeast, requireCount } from './option-range.js';

/** 4 × the largest record: a large record among small ones waits for no empty pool. */
const LEAST_BYTE_LIMIT = 1_048_576;

/** 0.55 × 100 is 55.00000000000001: rounding up must not make a credit of that. */
const ROUNDING = 1e-9;

/** What sizes a pool; absent = unchanged. */
export interface PoolSize {
  /** Credits in all, a whole number of at least 1. Starts at what the pool was made with. */
  readonly capacity?: number;
  /** Credits per second after a stall; of no effect on a pool that was made without. */
  readonly replenishPerSecond?: number;
  /** Applied window, in credits. Starts without a bound of its own: the capacity. */
  readonly window?: number;
  /** Credit factor of the reaction, 0..1. Starts at 1. */
  readonly factor?: number;
  /** What the stage may work on at a time: the factor shortens the queue, not this. Starts at 0. */
  readonly inServiceLimit?: number;
  /** Mean size of a record. Until the first one the byte limit is the byte capacity. */
  readonly meanRecordBytes?: number;
  /** Lanes that may ask: each that holds nothing has one credit kept for it. Starts at 0: no lane floor. */
  readonly activeLanes?: number;
}

/**
 * The arithmetic of a pool's size, done at `resize`, not at a grant. Whole credits, rounded up, never below one (I6):
 *
 * sized = min(capacity, window); limit = max(1, min(sized, max(inServiceLimit, ⌈sized × factor⌉)))
 * byteLimit = min(byteCapacity, max(1 MiB, sized × meanRecordBytes))
 */
export class PoolLimits {
  sized: number;
  limit: number;
  byteLimit: number;
  private window = Infinity;
  private factor = 1;
  private inServiceLimit = 0;
  private meanRecordBytes = Infinity;

  constructor(
    private readonly name: string,
    private configured: number,
    readonly byteCapacity: number,
  ) {
    this.sized = configured;
    this.limit = configured;
    this.byteLimit = byteCapacity;
  }

  get capacity(): number {
    return this.configured;
  }

  resize(change: PoolSize): void {
    for (const [option, value] of Object.entries(change)) {
      if (value !== undefined) requireAtLeast(this.name, option, value, 0);
    }
    if (change.capacity !== undefined) requireCount(this.name, 'capacity', change.capacity, 1);
    this.configured = change.capacity ?? this.configured;
    this.window = change.window ?? this.window;
    this.factor = change.factor ?? this.factor;
    this.inServiceLimit = change.inServiceLimit ?? this.inServiceLimit;
    this.meanRecordBytes = change.meanRecordBytes ?? this.meanRecordBytes;
    this.sized = wholeCredits(this.window, this.configured);
    const reacted = Math.max(this.inServiceLimit, this.sized * this.factor);
    this.limit = wholeCredits(reacted, this.sized);
    const justified = Math.max(LEAST_BYTE_LIMIT, this.sized * this.meanRecordBytes);
    this.byteLimit = Math.min(this.byteCapacity, justified);
  }
}

function wholeCredits(credits: number, most: number): number {
  return Math.max(1, Math.min(most, Math.ceil(credits - ROUNDING)));
}
