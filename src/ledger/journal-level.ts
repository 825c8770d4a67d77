/**
 * How full the journal is, and which of its records this process knows.
 *
 * A record counts from its commit to its end; the bytes are those of its body and headers.
 */
export class JournalLevel {
  private readonly sizes = new Map<string, number>();
  private totalBytes = 0;

  constructor(
    readonly maxRecords: number,
    readonly maxBytes: number,
  ) {}

  get records(): number {
    return this.sizes.size;
  }

  get bytes(): number {
    return this.totalBytes;
  }

  get isFull(): boolean {
    return this.sizes.size >= this.maxRecords || this.totalBytes >= this.maxBytes;
  }

  /** Whether this much more fits. A record larger than the bound fits an empty journal: it would never fit otherwise. */
  fits(records: number, bytes: number): boolean {
    if (this.sizes.size === 0 && records === 1) return true;
    return this.sizes.size + records <= this.maxRecords && this.totalBytes + bytes <= this.maxBytes;
  }

  has(id: string): boolean {
    return this.sizes.has(id);
  }

  /** Idempotent. */
  add(id: string, bytes: number): void {
    if (this.sizes.has(id)) return;
    this.sizes.set(id, bytes);
    this.totalBytes += bytes;
  }

  /** Idempotent. */
  remove(id: string): void {
    const bytes = this.sizes.get(id);
    if (bytes === undefined) return;
    this.totalBytes -= bytes;
    this.sizes.delete(id);
  }
}
