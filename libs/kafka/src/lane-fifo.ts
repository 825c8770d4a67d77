import type { Entry } from './delivery.js';

/** Entries that were cut may stay in the array up to here before it is copied. */
const MAX_DEAD_ENTRIES = 1000;

/** Records that wait for a lane's next batch, in order. */
export class LaneFifo {
  bytes = 0;
  private entries: Entry[] = [];
  private head = 0;

  get length(): number {
    return this.entries.length - this.head;
  }

  /** Moment of the clock at which the first one was taken; undefined when empty. */
  get firstTakenAtMs(): number | undefined {
    return this.entries[this.head]?.delivery.takenAtMs;
  }

  push(entry: Entry): void {
    this.entries.push(entry);
    this.bytes += entry.sizeBytes;
  }

  /** Takes the longest prefix within both bounds, and at least one record. */
  cut(maxRecords: number, maxBytes: number): Entry[] {
    let bytes = 0;
    let count = 0;
    for (const limit = Math.min(this.length, maxRecords); count < limit; count += 1) {
      const { sizeBytes } = this.entries[this.head + count]!;
      if (count > 0 && bytes + sizeBytes > maxBytes) break;
      bytes += sizeBytes;
    }
    const batch = this.entries.slice(this.head, this.head + count);
    this.head += count;
    this.bytes -= bytes;
    this.compact();
    return batch;
  }

  takeAll(): Entry[] {
    return this.cut(Infinity, Infinity);
  }

  private compact(): void {
    if (this.length > 0 && this.head <= MAX_DEAD_ENTRIES) return;
    this.entries = this.entries.slice(this.head);
    this.head = 0;
  }
}
