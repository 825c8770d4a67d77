import type { Clock, Timer } from '#libs/flow-control';
import type { AssignedPartition } from './assigned-partition.js';
import type { BookEntry, KafkaBooks } from './kafka-source.js';
import type { SourceCounters } from './source-counters.js';
import type { KafkaSourceEvents } from './source-events.js';

/** Bounds what a kill makes the next owner read again, for 20 statements a second at most. */
const FLUSH_EVERY_MS = 50;
/** As often as Kafka's own clients would at most; a commit costs the brokers a replicated write. */
const COMMIT_EVERY_MS = 500;
const RETRY_AFTER_MS = 1000;

export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

export interface BookKeeperOptions {
  readonly books: KafkaBooks;
  readonly clock: Clock;
  readonly events: KafkaSourceEvents;
  readonly counters: SourceCounters;
  /** The partitions of the present assignment. */
  readonly assigned: () => Iterable<AssignedPartition>;
  readonly commit: (offsets: PartitionOffset[]) => Promise<void>;
  /** A write was refused: the partition's epoch in the books is not ours. */
  readonly onFenced: (partition: AssignedPartition) => void;
}

/**
 * Takes watermarks to the books, and from there to the group.
 *
 * K1  One write and one commit in flight; what changes meanwhile goes with the next (group commit).
 * K2  Only what the books have kept is committed.
 * K3  Only partitions of the present assignment are written and committed.
 */
export class BookKeeper {
  private readonly dirty = new Set<AssignedPartition>();
  private flushTimer: Timer | undefined;
  private commitTimer: Timer | undefined;
  private writing: Promise<boolean> | undefined;
  private committing: Promise<void> | undefined;
  private isRunning = true;

  constructor(private readonly options: BookKeeperOptions) {
    this.scheduleCommit();
  }

  /** The partition's watermark changed. */
  touch(partition: AssignedPartition): void {
    this.dirty.add(partition);
    this.scheduleFlush(FLUSH_EVERY_MS);
  }

  /** Resolves when the books hold everything done so far; false when they can't be reached now. */
  async flush(): Promise<boolean> {
    while (this.writing) if (!(await this.writing)) return false;
    if (this.dirty.size === 0) return true;
    this.writing = this.write();
    return this.writing;
  }

  /** Commits what the books hold; waits for a commit that runs already. */
  async commit(): Promise<void> {
    while (this.committing) await this.committing;
    const partitions = [...this.options.assigned()].filter(
      ({ bookedLow, committed }) => bookedLow !== undefined && bookedLow !== committed,
    );
    if (partitions.length === 0) return;
    this.committing = this.commitAll(partitions);
    await this.committing;
  }

  stop(): void {
    this.isRunning = false;
    this.flushTimer?.cancel();
    this.commitTimer?.cancel();
  }

  private scheduleFlush(delayMs: number): void {
    if (!this.isRunning || this.flushTimer) return;
    this.flushTimer = this.options.clock.setTimer(delayMs, () => {
      this.flushTimer = undefined;
      void this.flush();
    });
  }

  private scheduleCommit(): void {
    if (!this.isRunning) return;
    this.commitTimer = this.options.clock.setTimer(COMMIT_EVERY_MS, () => {
      void this.commit().finally(() => this.scheduleCommit());
    });
  }

  private async write(): Promise<boolean> {
    const { books, events, counters } = this.options;
    const written = new Map<AssignedPartition, BookEntry>();
    for (const partition of this.dirty) {
      const entry = partition.entry();
      if (entry) written.set(partition, entry);
    }
    this.dirty.clear();
    try {
      if (written.size > 0) this.settle(written, await books.write([...written.values()]));
      return true;
    } catch (error) {
      counters.flushFailures += 1;
      for (const partition of written.keys()) this.dirty.add(partition);
      this.scheduleFlush(RETRY_AFTER_MS);
      events.emit('trouble', { during: 'the write of the books', error });
      return false;
    } finally {
      this.writing = undefined;
    }
  }

  private settle(
    written: ReadonlyMap<AssignedPartition, BookEntry>,
    kept: readonly { readonly source: number; readonly partition: number }[],
  ): void {
    this.options.counters.flushes += 1;
    const keys = new Set(kept.map(({ source, partition }) => `${source}:${partition}`));
    for (const [partition, entry] of written) {
      if (keys.has(`${entry.source}:${entry.partition}`)) partition.keep(entry);
      else if (partition.isFencedBy(entry)) this.options.onFenced(partition);
      // Booked anew while the write was under way: the old epoch was refused, the content counts.
      else this.touch(partition);
    }
  }

  private async commitAll(partitions: readonly AssignedPartition[]): Promise<void> {
    const { commit, counters, events } = this.options;
    const lows = partitions.map((partition) => partition.bookedLow ?? 0n);
    try {
      await commit(
        partitions.map(({ topic, partition }, i) => ({ topic, partition, offset: `${lows[i]}` })),
      );
      counters.commits += 1;
      partitions.forEach((partition, i) => (partition.committed = lows[i]));
    } catch (error) {
      // Tried again with the next round: the books hold it, so nothing is lost.
      counters.commitFailures += 1;
      events.emit('trouble', { during: 'the commit', error });
    } finally {
      this.committing = undefined;
    }
  }
}
