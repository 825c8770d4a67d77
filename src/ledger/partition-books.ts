import { WATERMARK_SPAN } from '#libs/kafka';

/** What the books hold of one partition. */
export interface PartitionBooksState {
  /** All offsets below are terminal, or hold no record. */
  readonly low: bigint;
  /** Terminal offsets from `low` on: bit i (lowest first) is offset `low` + i. No trailing zero bytes. */
  readonly doneAbove: Buffer;
  /** Offsets below `low` that hold no record. */
  readonly gaps: bigint;
  /** Timestamp of the record at `low` − 1, as far as it is known. */
  readonly boundaryTimestampMs: number | undefined;
}

const SPAN = BigInt(WATERMARK_SPAN);
const MAX_BYTES = WATERMARK_SPAN / 8;

/**
 * The books of one partition as a value; pure.
 *
 * PB1 `low` never falls, and no terminal offset is forgotten.
 * PB2 the bitmap has at most 8,192 bits.
 *
 * PB2 rests on what the source promises: it begins no record 8,192 or more offsets above the lowest one that has not
 * ended, and ends none before the books hold its end. So when the record at `o` ends, every offset up to `o` − 8,192 that
 * has no bit holds no record.
 */
export class PartitionBooks implements PartitionBooksState {
  readonly low: bigint;
  readonly doneAbove: Buffer;
  readonly gaps: bigint;
  readonly boundaryTimestampMs: number | undefined;

  constructor(state: PartitionBooksState) {
    this.low = state.low;
    this.doneAbove = trimmed(state.doneAbove.subarray(0, MAX_BYTES));
    this.gaps = state.gaps;
    this.boundaryTimestampMs = state.boundaryTimestampMs;
  }

  /** Whether the record at this offset has ended. */
  has(offset: bigint): boolean {
    if (offset < this.low) return true;
    if (offset >= this.low + SPAN) return false;
    const bit = Number(offset - this.low);
    return ((this.doneAbove[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }

  /** These records end too; none of them had, and none is named twice. `low` stays, unless the bitmap has no room. */
  with(offsets: readonly bigint[]): PartitionBooks {
    let highest = this.low;
    for (const offset of offsets) if (offset > highest) highest = offset;
    const moved = this.movedTo(highest - SPAN + 1n, offsets);
    const doneAbove = padded(moved.doneAbove);
    for (const offset of offsets) {
      if (offset < moved.low) continue;
      const bit = Number(offset - moved.low);
      doneAbove[bit >> 3] = (doneAbove[bit >> 3] ?? 0) | (1 << (bit & 7));
    }
    return new PartitionBooks({ ...moved, doneAbove });
  }

  /** Takes over what the source says of its watermark; whichever of the two is ahead counts. */
  merged(source: PartitionBooksState): PartitionBooks {
    const [ahead, behind]: readonly PartitionBooksState[] =
      source.low < this.low ? [this, source] : [source, this];
    const doneAbove = shifted(behind!.doneAbove, ahead!.low - behind!.low);
    ahead!.doneAbove.subarray(0, MAX_BYTES).forEach((byte, index) => {
      doneAbove[index] = (doneAbove[index] ?? 0) | byte;
    });
    return new PartitionBooks({ ...ahead!, doneAbove });
  }

  private movedTo(low: bigint, ending: readonly bigint[]): PartitionBooksState {
    if (low <= this.low) return this;
    const passed = low - this.low;
    const ended =
      countBits(this.doneAbove, passed) + ending.filter((offset) => offset < low).length;
    return {
      low,
      doneAbove: shifted(this.doneAbove, passed),
      gaps: this.gaps + passed - BigInt(ended),
      boundaryTimestampMs: undefined,
    };
  }
}

function padded(bits: Buffer): Buffer {
  const buffer = Buffer.alloc(MAX_BYTES);
  buffer.set(bits);
  return buffer;
}

function trimmed(bits: Buffer): Buffer {
  let length = bits.length;
  while (length > 0 && bits[length - 1] === 0) length -= 1;
  return bits.subarray(0, length);
}

/** The bitmap as it reads from `by` offsets later on; of full length. */
function shifted(bits: Buffer, by: bigint): Buffer {
  const result = Buffer.alloc(MAX_BYTES);
  if (by >= SPAN) return result;
  const bytes = Number(by) >> 3;
  const rest = Number(by) & 7;
  for (let index = 0; index + bytes < Math.min(bits.length, MAX_BYTES); index += 1) {
    const low = (bits[index + bytes] ?? 0) >> rest;
    const high = (bits[index + bytes + 1] ?? 0) << (8 - rest);
    result[index] = (low | high) & 0xff;
  }
  return result;
}

/** Bits that are set among the first `limit`. */
function countBits(bits: Buffer, limit: bigint): number {
  const end = limit < SPAN ? Number(limit) : WATERMARK_SPAN;
  let count = 0;
  for (let bit = 0; bit < Math.min(end, bits.length * 8); bit += 1) {
    count += ((bits[bit >> 3] ?? 0) >> (bit & 7)) & 1;
  }
  return count;
}
