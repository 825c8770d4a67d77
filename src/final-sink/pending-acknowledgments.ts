import type { Clock } from '#libs/flow-control';
import { type Deadline, Deadlines } from '../pipeline/deadlines.js';

/** The records of one call. Made before the send, so that no answer can come too early to be matched. */
export interface PendingEntry<T> {
  readonly items: readonly T[];
  readonly state: 'pending' | 'answered' | 'timed-out';
}

interface Entry<T> extends PendingEntry<T> {
  state: 'pending' | 'answered' | 'timed-out';
  deadline: Deadline | undefined;
}

export interface PendingAcknowledgmentsOptions<T> {
  /** Records that may be pending at a time. */
  readonly limit: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** No answer in time; the places of the call's records are free again. */
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
 * PA1 nothing is opened beyond the limit; places are held until the first answer of the call, or the timeout.
 * PA2 each record is decided once: acknowledged, rejected or timed out. Later answers are counted and change nothing.
 * PA3 opened = pending + acknowledged + rejected + timed out, in records.
 */
export class PendingAcknowledgments<T> {
  private readonly deadlines: Deadlines<Entry<T>>;
  private limit: number;
  private pendingNow = 0;
  private readonly counts = { acknowledged: 0, rejected: 0, timedOut: 0, late: 0, duplicates: 0 };

  constructor(private readonly options: PendingAcknowledgmentsOptions<T>) {
    const { clock, timeoutMs, limit } = options;
    this.limit = limit;
    this.deadlines = new Deadlines(clock, timeoutMs, (entry) => this.timeOut(entry));
  }

  get pending(): number {
    return this.pendingNow;
  }

  /** Places that are free. */
  get free(): number {
    return this.limit - this.pending;
  }

  /** Another limit; what is pending beyond it stays until its answer. */
  resize(limit: number): void {
    this.limit = limit;
  }

  /** Takes places for items that are about to be sent together; undefined when there are not as many free. */
  open(items: readonly T[]): PendingEntry<T> | undefined {
    if (this.free < items.length) return undefined;
    const entry: Entry<T> = { items, state: 'pending', deadline: undefined };
    entry.deadline = this.deadlines.add(entry);
    this.pendingNow += items.length;
    return entry;
  }

  /**
   * The destination's answer: it has acknowledged so many of the call's records, and rejected the others. False when they
   * were decided before: late or a duplicate, counted and harmless.
   */
  settle(given: PendingEntry<T>, acknowledged: number): boolean {
    const entry = given as Entry<T>;
    const { length } = entry.items;
    if (entry.state !== 'pending') {
      this.counts[entry.state === 'timed-out' ? 'late' : 'duplicates'] += length;
      return false;
    }
    entry.state = 'answered';
    entry.deadline?.cancel();
    this.pendingNow -= length;
    this.counts.acknowledged += acknowledged;
    this.counts.rejected += length - acknowledged;
    return true;
  }

  snapshot(): PendingAcknowledgmentsSnapshot {
    return { pending: this.pending, limit: this.limit, ...this.counts };
  }

  /** No timeout fires any more. */
  stop(): void {
    this.deadlines.clear();
  }

  private timeOut(entry: Entry<T>): void {
    entry.state = 'timed-out';
    this.pendingNow -= entry.items.length;
    this.counts.timedOut += entry.items.length;
    this.options.onTimeout(entry);
  }
}
