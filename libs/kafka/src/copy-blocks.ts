/** What one slow record may keep beside itself: with 10 000 records in flight, 40 MB at the very most. */
export const BLOCK_BYTES = 4096;
/** Anything larger has its own memory. */
const MAX_SHARED_BYTES = BLOCK_BYTES / 4;

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
    const { length } = bytes;
    this.toCopyBytes -= length;
    if (length > MAX_SHARED_BYTES) {
      const own = Buffer.allocUnsafeSlow(length);
      own.set(bytes);
      return own;
    }
    if (this.block === undefined || this.used + length > this.block.length) {
      this.block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, length + this.toCopyBytes));
      this.used = 0;
    }
    const at = this.used;
    this.used += length;
    this.block.set(bytes, at);
    return this.block.subarray(at, this.used);
  }
}
