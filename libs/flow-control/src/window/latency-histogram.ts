/**
 * Counts of latencies in fixed buckets, cheap enough to be called for every record.
 *
 * Ten bounds a decade from 0.1 ms to 100 s (the Renard series R10), so a bucket is at most 28 % wide and the
 * powers of ten and 2 × and 5 × of them are bounds: cumulative counts may be thinned out to those exactly.
 * `record` finds its bucket by the binary exponent of the value and a few comparisons.
 *
 * Invariants: (1) `record` allocates nothing. (2) The bucket that holds the sample of rank ⌈q × count⌉ holds
 * `quantile(q)` too. (3) Counts, `count` and `sumMs` only grow until `reset`.
 */
const RENARD_R10 = [1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8];
const LOWEST_BOUND_MS = 0.1;
const DECADES = 6;
const DECIMALS = 6;

const BOUNDS_MS: readonly number[] = Object.freeze(
  Array.from({ length: DECADES * RENARD_R10.length + 1 }, (_, i) => {
    const mantissa = RENARD_R10[i % RENARD_R10.length] as number;
    const decade = 10 ** Math.floor(i / RENARD_R10.length);
    return Number((LOWEST_BOUND_MS * mantissa * decade).toFixed(DECIMALS));
  }),
);
const HIGHEST_BOUND_MS = BOUNDS_MS.at(-1) as number;
const OVERFLOW = BOUNDS_MS.length;
const BOUNDS = Float64Array.from(BOUNDS_MS);
/** 0.07 × 100 lies just above 7; the rank must not move up by that. */
const ROUNDING = 1e-9;

/** Values are compared in whole tenths of a millisecond by their leading zeros: 0 to 32 of them. */
const TENTHS_PER_MS = 10;
const WORD_BITS = 32;
/** For a number of leading zeros: the first bucket that a value with so many can be in. */
const FIRST_BUCKET = Uint8Array.from({ length: WORD_BITS + 1 }, (_, leadingZeros) => {
  const lowestMs =
    leadingZeros === WORD_BITS ? 0 : 2 ** (WORD_BITS - 1 - leadingZeros) / TENTHS_PER_MS;
  const bucket = BOUNDS_MS.findIndex((bound) => bound >= lowestMs);
  return bucket === -1 ? OVERFLOW : bucket;
});

export class LatencyHistogram {
  /** Upper bounds (inclusive) of the buckets; values above the last are in one more. */
  readonly boundsMs = BOUNDS_MS;
  readonly #buckets = new Float64Array(OVERFLOW + 1);
  #count = 0;
  #sumMs = 0;

  get count(): number {
    return this.#count;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  /** Counts `count` records of `valueMs` each. A negative value (a wall clock stepped back) counts as 0. */
  record(valueMs: number, count = 1): void {
    const latencyMs = valueMs > 0 ? valueMs : 0;
    const bucket = bucketOf(latencyMs);
    this.#buckets[bucket] = (this.#buckets[bucket] as number) + count;
    this.#count += count;
    this.#sumMs += latencyMs * count;
  }

  /**
   * Latency below which the share `q` (0..1) of the records lies, by a straight line within its bucket.
   * 0 without records; the highest bound for what lies above it.
   */
  quantile(q: number): number {
    if (this.#count === 0) return 0;
    const rank = Math.max(1, Math.ceil(q * this.#count - ROUNDING));
    let below = 0;
    for (let i = 0; i < OVERFLOW; i++) {
      const inside = this.#buckets[i] as number;
      if (below + inside >= rank) {
        const lower = i === 0 ? 0 : (BOUNDS[i - 1] as number);
        const upper = BOUNDS[i] as number;
        // Rounding may carry the last of a bucket above its bound.
        return Math.min(upper, lower + ((upper - lower) * (rank - below)) / inside);
      }
      below += inside;
    }
    return HIGHEST_BOUND_MS;
  }

  /** For each bound the records at or below it, and all of them last: the buckets of a Prometheus histogram. */
  counts(): readonly number[] {
    let cumulative = 0;
    return Array.from(this.#buckets, (inside) => (cumulative += inside));
  }

  reset(): void {
    this.#buckets.fill(0);
    this.#count = 0;
    this.#sumMs = 0;
  }
}

function bucketOf(latencyMs: number): number {
  if (latencyMs > HIGHEST_BOUND_MS) return OVERFLOW;
  let bucket = FIRST_BUCKET[Math.clz32(latencyMs * TENTHS_PER_MS)] as number;
  while (latencyMs > (BOUNDS[bucket] as number)) bucket++;
  return bucket;
}
