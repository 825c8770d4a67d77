import type { Clock } from '#libs/flow-control';
import { type Deadline, Deadlines } from '../pipeline/deadlines.js';

/** One record at the destination. Made before the send, so that no answer can come too early to be matched. */
export interface PendingEntry<T> {
  readonly item: T;
  readonly state: 'pending' | 'acknowledged' | 'rejected' | 'timed-out';
}

interface Entry<T> extends PendingEntry<T> {
  state: 'pending' | 'acknowledged' | 'rejected' | 'timed-out';
  deadline: Deadline | undefined;
}

export interface PendingAcknowledgmentsOptions<T> {
  /** Entries that may be pending at a time. */
  readonly limit: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** No answer in time; the entry's place is free again. */
  readonly onTimeout: (entry: PendingEntry<T>) => void;
}

export interface PendingAcknowledgmentsSnapshot {
  readonly pending: number;
  readonly limit: number;
  readonly acknowledged: number;
  readonly rejected: number;
  readonly timedOut: number;
  /** Answers that came after the timeout. */
  readonly late: number;
  /** Answers after the first one. */
  readonly duplicates: number;
}

/** Of several destinations together. */
export function sumOf(
  snapshots: readonly PendingAcknowledgmentsSnapshot[],
): PendingAcknowledgmentsSnapshot {
  const sum = (field: keyof PendingAcknowledgmentsSnapshot): number =>
    snapshots.reduce((total, snapshot) => total + snapshot[field], 0);
  return {
    pending: sum('pending'),
    limit: sum('limit'),
    acknowledged: sum('acknowledged'),
    rejected: sum('rejected'),
    timedOut: sum('timedOut'),
    late: sum('late'),
    duplicates: sum('duplicates'),
  };
}

/**
 * What was handed to the destination and has not been answered.
 *
 * PA1 nothing is opened beyond the limit; a place is held until the first answer or the timeout.
 * PA2 each entry is decided once: acknowledged, rejected or timed out. Later answers are counted and change nothing.
 * PA3 opened = pending + acknowledged + rejected + timed out.
 */
export class PendingAcknowledgments<T> {
  private readonly deadlines: Deadlines<Entry<T>>;
  private limit: number;
  private readonly counts = { acknowledged: 0, rejected: 0, timedOut: 0, late: 0, duplicates: 0 };

  constructor(private readonly options: PendingAcknowledgmentsOptions<T>) {
    const { clock, timeoutMs, limit } = options;
    this.limit = limit;
    this.deadlines = new Deadlines(clock, timeoutMs, (entry) => this.timeOut(entry));
  }

  get pending(): number {
    return this.deadlines.size;
  }

  /** Places that are free. */
  get free(): number {
    return this.limit - this.pending;
  }

  /** Another limit; what is pending beyond it stays until its answer. */
  resize(limit: number): void {
    this.limit = limit;
  }

  /** Takes a place for an item that is about to be sent; undefined when none is free. */
  open(item: T): PendingEntry<T> | undefined {
    if (this.free <= 0) return undefined;
    const entry: Entry<T> = { item, state: 'pending', deadline: undefined };
    entry.deadline = this.deadlines.add(entry);
    return entry;
  }

  /** The destination's answer. False when the entry was decided before: late or a duplicate, counted and harmless. */
  settle(given: PendingEntry<T>, answer: 'acknowledged' | 'rejected'): boolean {
    const entry = given as Entry<T>;
    if (entry.state !== 'pending') {
      this.counts[entry.state === 'timed-out' ? 'late' : 'duplicates'] += 1;
      return false;
    }
    entry.state = answer;
    entry.deadline?.cancel();
    this.counts[answer] += 1;
    return true;
  }

  snapshot(): PendingAcknowledgmentsSnapshot {
    return { pending: this.pending, limit: this.limit, ...this.counts };
  }

  /** Forgets all entries; no timeout fires any more. */
  clear(): void {
    this.deadlines.clear();
  }

  private timeOut(entry: Entry<T>): void {
    entry.state = 'timed-out';
    this.counts.timedOut += 1;
    this.options.onTimeout(entry);
  }
}
