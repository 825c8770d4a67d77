/** What one slow record may keep beside itself: with 10 000 records in flight, 40 MB at the very most. */
export const BLOCK_BYTES = 4096;
/** Anything larger has its own memory. */
const MAX_SHARED_BYTES = BLOCK_BYTES / 4;
/** Up to here a loop is faster than the call of `set`. */
const MAX_LOOPED_BYTES = 64;

/**
 * Copies of small byte strings in blocks. Not from Node's own pool, whose slabs are shared with whatever comes next and
 * may stay for ever.
 */
export class CopyBlocks {
  private block: Buffer | undefined;
  private used = 0;

  /** `toCopyBytes`: what will be copied in all at most; the last block is no larger than what is left of it. */
  constructor(private toCopyBytes = Infinity) {}

  copy(bytes: Uint8Array): Buffer {
    return this.copyOf(bytes, 0, bytes.length);
  }

  /** A part of `bytes`, without a window on it in between. */
  copyOf(bytes: Uint8Array, from: number, length: number): Buffer {
    this.toCopyBytes -= length;
    if (length > MAX_SHARED_BYTES) {
      const own = Buffer.allocUnsafeSlow(length);
      own.set(bytes.subarray(from, from + length));
      return own;
    }
    const block = this.blockFor(length);
    const at = this.used;
    this.used += length;
    if (length > MAX_LOOPED_BYTES) block.set(bytes.subarray(from, from + length), at);
    else for (let i = 0; i < length; i += 1) block[at + i] = bytes[from + i]!;
    return block.subarray(at, this.used);
  }

  private blockFor(length: number): Buffer {
    if (this.block === undefined || this.used + length > this.block.length) {
      this.block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, length + this.toCopyBytes));
      this.used = 0;
    }
    return this.block;
  }
}
