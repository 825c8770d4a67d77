/**
 * Which offsets of one partition are done. Records begin in the order of their offsets and end in any order.
 *
 * `low`: smallest offset that is not terminal. `next`: first offset not handed off. Offsets between them that never
 * began are gaps (compacted records, transaction markers): `low` passes them as soon as it comes to them.
 *
 * Invariants:
 *   T1  `low` never passes an offset that began and is not terminal.
 *   T2  `low` never falls.
 *   T3  records in flight ≤ `maxRecords`, and no offset ≥ `low` + 8 192 begins; so the bitmap has ≤ 8 192 bits.
 * With nothing in flight `low` is `next`.
 *
 * Offsets are numbers relative to where the partition began (`base`): an absolute one may exceed 2^53. Pure; no clock.
 */

/** Offsets a partition can be ahead of `low`: a bitmap of 1 KiB. */
export const WATERMARK_SPAN = 8192;

const MASK = WATERMARK_SPAN - 1;
const UNKNOWN = 0;
const IN_FLIGHT = 1;
const DONE = 2;
/** Every decimal number of so many digits is exact as a double. */
const SAFE_DIGITS = 15;
const EMPTY = Buffer.alloc(0);

export interface WatermarkStart {
  readonly low: bigint;
  /** Bit i (lowest first) is offset `low` + i. */
  readonly doneAbove?: Buffer;
  readonly gaps?: bigint;
  readonly boundaryTimestampMs?: number | undefined;
  readonly maxRecords: number;
}

export class OffsetWatermark {
  /** Most records in flight; may change while records are. */
  maxRecords: number;

  private readonly base: bigint;
  private readonly baseNumber: number | undefined;
  private readonly gapsAtStart: bigint;
  /** State and timestamp of each offset in [low, low + span), in a ring. */
  private readonly cells = new Uint8Array(WATERMARK_SPAN);
  private readonly timestamps = new Float64Array(WATERMARK_SPAN);
  private lowRelative = 0;
  private nextRelative = 0;
  private flying = 0;
  /** Cells that are in flight or done. */
  private marked = 0;
  private gapCount = 0;
  private boundary: number;
  private closed = false;

  constructor({ low, doneAbove, gaps = 0n, boundaryTimestampMs, maxRecords }: WatermarkStart) {
    this.base = low;
    this.baseNumber = low <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(low) : undefined;
    this.gapsAtStart = gaps;
    this.boundary = boundaryTimestampMs ?? Number.NaN;
    this.maxRecords = maxRecords;
    this.timestamps.fill(Number.NaN);
    if (doneAbove) this.load(doneAbove);
  }

  get low(): bigint {
    return this.absolute(this.lowRelative);
  }

  get next(): bigint {
    return this.absolute(this.nextRelative);
  }

  get inFlight(): number {
    return this.flying;
  }

  /** Offsets below `low` that held no record. */
  get gaps(): bigint {
    return this.gapsAtStart + BigInt(this.gapCount);
  }

  get room(): number {
    return Math.max(0, this.maxRecords - this.flying);
  }

  /** Timestamp of the record at `low` − 1; undefined for a gap, or one that ended in an earlier run. */
  get boundaryTimestampMs(): number | undefined {
    return Number.isNaN(this.boundary) ? undefined : this.boundary;
  }

  /** Timestamp of the record at `low`; undefined when nothing is in flight. */
  get lowTimestampMs(): number | undefined {
    return this.flying === 0 ? undefined : this.timestamps[this.lowRelative & MASK];
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Lets it ignore every later completion: the partition, or the topic's incarnation, is no longer ours. */
  close(): void {
    this.closed = true;
  }

  /** An offset as the client gives it, relative to the base. */
  parse(offset: string): number {
    return this.baseNumber !== undefined && offset.length <= SAFE_DIGITS
      ? Number(offset) - this.baseNumber
      : this.relative(BigInt(offset));
  }

  relative(offset: bigint): number {
    return Number(offset - this.base);
  }

  absolute(relative: number): bigint {
    return this.base + BigInt(relative);
  }

  /** Already handed off, or terminal in an earlier run. */
  isDuplicate(offset: number): boolean {
    return offset < this.nextRelative || this.isDone(offset);
  }

  /** How many of `offsets[from…]`, at most `limit`, may begin now (T3); stops before one that is done. */
  prefix(offsets: ArrayLike<number>, from: number, limit: number): number {
    const first = offsets[from];
    if (first === undefined) return 0;
    // Nothing in flight: beginning moves `low` up to the first one.
    const start = this.flying === 0 ? Math.max(first, this.lowRelative) : this.lowRelative;
    const end = Math.min(from + Math.min(limit, this.room), offsets.length);
    let i = from;
    for (; i < end; i += 1) {
      const offset = offsets[i] ?? 0;
      if (offset >= start + WATERMARK_SPAN || this.isDone(offset)) break;
    }
    return i - from;
  }

  /** The records at these ascending offsets, all within `prefix`, are handed off. */
  begin(
    offsets: ArrayLike<number>,
    timestamps: ArrayLike<number>,
    from: number,
    count: number,
  ): void {
    if (this.flying === 0) this.pass(offsets[from] ?? 0);
    for (let i = from; i < from + count; i += 1) {
      const offset = offsets[i] ?? 0;
      this.cells[offset & MASK] = IN_FLIGHT;
      this.timestamps[offset & MASK] = timestamps[i] ?? Number.NaN;
      this.nextRelative = offset + 1;
    }
    this.flying += count;
    this.marked += count;
  }

  /** The records in flight from `first` to `last` are terminal. Returns how many were. */
  done(first: bigint, last: bigint): number {
    if (this.closed) return 0;
    const from = Math.max(this.relative(first), this.lowRelative);
    const to = Math.min(this.relative(last), this.nextRelative - 1, this.lowRelative + MASK);
    let count = 0;
    for (let offset = from; offset <= to; offset += 1) {
      if (this.cells[offset & MASK] !== IN_FLIGHT) continue;
      this.cells[offset & MASK] = DONE;
      count += 1;
    }
    this.flying -= count;
    if (count > 0) this.settle();
    return count;
  }

  /** No record below `next` is still to come: a tail of markers or compacted records, or what retention has eaten. */
  pass(next: number): void {
    if (next <= this.nextRelative) return;
    this.nextRelative = next;
    this.settle();
  }

  /** Everything below `offset` has ended elsewhere. Only while nothing is in flight; `low` moves up to it, and no gap is counted. */
  endedUpTo(offset: bigint): void {
    const end = this.relative(offset);
    if (this.flying > 0 || end <= this.lowRelative) return;
    for (
      let at = this.lowRelative;
      at < Math.min(end, this.lowRelative + WATERMARK_SPAN);
      at += 1
    ) {
      if (this.cells[at & MASK] === DONE) this.marked -= 1;
      this.cells[at & MASK] = UNKNOWN;
      this.timestamps[at & MASK] = Number.NaN;
    }
    this.boundary = Number.NaN;
    this.lowRelative = end;
    this.nextRelative = Math.max(this.nextRelative, end);
    this.settle();
  }

  /**
   * How many of these records, ascending, can end together so that nothing in flight is left below the last of them; and
   * the offset at which a reader would go on then. What lies below `from` counts as ended.
   */
  cut(offsets: readonly bigint[], from: bigint): { count: number; nextOffset: bigint } {
    let count = 0;
    let at = Math.max(this.lowRelative, this.relative(from));
    for (; at < this.nextRelative; at += 1) {
      if (this.cells[at & MASK] !== IN_FLIGHT) continue;
      count = this.countBelow(offsets, at, count);
      if (count === offsets.length || this.relative(offsets[count]!) !== at) break;
    }
    count = this.countBelow(offsets, at, count);
    return { count, nextOffset: this.absolute(at) };
  }

  /** The bitmap of the terminal offsets above `low`, without trailing zero bytes. */
  doneAbove(): Buffer {
    let left = this.marked - this.flying;
    if (left === 0) return EMPTY;
    const bits = Buffer.alloc(WATERMARK_SPAN / 8);
    let i = 0;
    for (; left > 0; i += 1) {
      if (this.cells[(this.lowRelative + i) & MASK] !== DONE) continue;
      bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
      left -= 1;
    }
    return bits.subarray(0, (i + 7) >> 3);
  }

  private countBelow(offsets: readonly bigint[], end: number, from: number): number {
    let count = from;
    while (count < offsets.length && this.relative(offsets[count]!) < end) count += 1;
    return count;
  }

  private isDone(offset: number): boolean {
    return offset < this.lowRelative + WATERMARK_SPAN && this.cells[offset & MASK] === DONE;
  }

  private load(doneAbove: Buffer): void {
    const bits = Math.min(doneAbove.length * 8, WATERMARK_SPAN);
    for (let i = 0; i < bits; i += 1) {
      if (((doneAbove[i >> 3] ?? 0) & (1 << (i & 7))) === 0) continue;
      this.cells[i] = DONE;
      this.marked += 1;
    }
    this.settle();
  }

  /** Moves `low` up to the next offset in flight, over what is done and over gaps; then over what an earlier run finished. */
  private settle(): void {
    while (this.lowRelative < this.nextRelative) {
      if (this.marked === 0) {
        this.gapCount += this.nextRelative - this.lowRelative;
        this.lowRelative = this.nextRelative;
        this.boundary = Number.NaN;
        return;
      }
      const state = this.cells[this.lowRelative & MASK];
      if (state === IN_FLIGHT) return;
      if (state === UNKNOWN) this.passGap();
      else this.passDone();
    }
    while (this.cells[this.lowRelative & MASK] === DONE) this.passDone();
    this.nextRelative = this.lowRelative;
  }

  private passGap(): void {
    this.gapCount += 1;
    this.boundary = Number.NaN;
    this.lowRelative += 1;
  }

  private passDone(): void {
    const cell = this.lowRelative & MASK;
    this.boundary = this.timestamps[cell] ?? Number.NaN;
    this.cells[cell] = UNKNOWN;
    this.timestamps[cell] = Number.NaN;
    this.marked -= 1;
    this.lowRelative += 1;
  }
}
