const MS_PER_SECOND = 1000;

/** No completion for this long while work is inside is a stall. */
const STALL_MS = 1000;

/** Rounding of the clock must not hold a credit back: far below one credit, far above the error of a double. */
const ROUNDING = 1e-6;

function requireRate(name: string, perSecond: number): void {
  if (perSecond > 0) return;
  throw new RangeError(`${name}: replenishPerSecond must be above 0, not ${perSecond}`);
}

/** The shortest wait for the ceiling to rise, so that each wake-up finds time passed. */
const SHORTEST_RISE_MS = 1;

/**
 * The ceiling of a pool after a stall: a recovered destination is not hit by the whole backlog at once.
 *
 * A stall is 1 s without a completion while something is outstanding, or what the owner declares. It ends with the next
 * completion, or with the end of the declaration (a completion inside a declared stall ends nothing). From then on
 * ceiling(t) = max(1, outstanding(t0) + rate × (t − t0)), until it reaches the capacity.
 *
 * R1: grants since t0 ≤ completions since t0 (the one that ends the stall included) + rate × (t − t0) + 1.
 */
export class SlowStart {
  private declared = false;
  private rising = false;
  private quietSinceMs = 0;
  private startMs = 0;
  private startOutstanding = 0;

  constructor(
    private readonly name: string,
    private capacity: number,
    private perSecond: number,
  ) {
    requireRate(name, perSecond);
  }

  /** Absent = unchanged. A slow start under way goes on from where its ceiling is now. */
  resize(change: { capacity?: number; perSecond?: number }, nowMs: number): void {
    this.capacity = change.capacity ?? this.capacity;
    const { perSecond } = change;
    if (perSecond === undefined || perSecond === this.perSecond) return;
    requireRate(this.name, perSecond);
    if (this.rising) this.start(nowMs, this.exact(nowMs));
    this.perSecond = perSecond;
  }

  /** The first credit of an empty pool was granted: silence counts from here. */
  began(nowMs: number): void {
    this.quietSinceMs = nowMs;
  }

  /** Credits came back. */
  completed(nowMs: number, outstandingBefore: number): void {
    const quietMs = nowMs - this.quietSinceMs;
    this.quietSinceMs = nowMs;
    if (!this.declared && quietMs >= STALL_MS) this.start(nowMs, outstandingBefore);
  }

  /** The owner knows of a stall (breaker open, sink paused) or of its end. */
  declare(isStalled: boolean, nowMs: number, outstanding: number): void {
    if (this.declared && !isStalled) {
      this.quietSinceMs = nowMs;
      this.start(nowMs, outstanding);
    }
    this.declared = isStalled;
  }

  /** False: `ceiling` is Infinity; spares the caller the look at the clock. */
  get active(): boolean {
    return this.rising;
  }

  /** Whole credits; Infinity when no slow start is under way. */
  ceiling(nowMs: number): number {
    if (!this.rising) return Infinity;
    const ceiling = Math.max(1, Math.floor(this.exact(nowMs) + ROUNDING));
    if (ceiling < this.capacity) return ceiling;
    this.rising = false;
    return Infinity;
  }

  /** Time until the ceiling is one credit higher, at least 1 ms. Only while active. */
  risesInMs(nowMs: number): number {
    const missing = this.ceiling(nowMs) + 1 - this.exact(nowMs);
    return Math.max(SHORTEST_RISE_MS, (missing * MS_PER_SECOND) / this.perSecond);
  }

  private start(nowMs: number, outstanding: number): void {
    this.rising = true;
    this.startMs = nowMs;
    this.startOutstanding = outstanding;
  }

  private exact(nowMs: number): number {
    return this.startOutstanding + ((nowMs - this.startMs) * this.perSecond) / MS_PER_SECOND;
  }
}
