/** Below half of the pool from which Node cuts small buffers: one that is larger is memory outside the heap of its own. */
const FIRST_CAPACITY_BYTES = 2048;

/**
 * Joins chunks, up to a limit. Keeps one buffer that doubles as needed instead of the chunks: a sender of one-byte chunks
 * would make each of them an object that holds on to the socket's whole read buffer.
 */
export class ByteCollector {
  private buffer: Buffer | undefined;
  private used = 0;

  constructor(private readonly maxBytes: number) {}

  get length(): number {
    return this.used;
  }

  /** False when it doesn't fit; then nothing of the chunk is kept. */
  append(chunk: Buffer): boolean {
    if (this.used + chunk.length > this.maxBytes) return false;
    const room = this.roomFor(this.used + chunk.length);
    chunk.copy(room, this.used);
    this.used += chunk.length;
    return true;
  }

  /** What was collected; the collector is empty after that. */
  take(): Buffer {
    const taken = this.buffer?.subarray(0, this.used) ?? Buffer.alloc(0);
    this.buffer = undefined;
    this.used = 0;
    return taken;
  }

  private roomFor(bytes: number): Buffer {
    if (this.buffer !== undefined && this.buffer.length >= bytes) return this.buffer;
    const capacity = Math.max(bytes, this.used * 2, FIRST_CAPACITY_BYTES);
    const larger = Buffer.allocUnsafe(Math.min(capacity, this.maxBytes));
    this.buffer?.copy(larger, 0, 0, this.used);
    this.buffer = larger;
    return larger;
  }
}
