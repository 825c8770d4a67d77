import type { Clock, Timer } from '#libs/flow-control';

/** One item that waits for its deadline. */
export interface Deadline {
  /** Monotonic ms. */
  readonly dueMs: number;
  /** Keeps the deadline from firing. Idempotent. */
  cancel(): void;
}

class Entry<T> implements Deadline {
  before: Entry<T> | undefined = undefined;
  after: Entry<T> | undefined = undefined;
  isOpen = true;

  constructor(
    readonly item: T,
    readonly dueMs: number,
    private readonly owner: Deadlines<T>,
  ) {}

  cancel(): void {
    if (this.isOpen) this.owner.remove(this);
  }
}

/**
 * Deadlines of one length: the first one set is the first one due, so a list and one timer serve all of them.
 *
 * `onDue` runs once for each item that was not cancelled, in the order of `add`.
 */
export class Deadlines<T> {
  private first: Entry<T> | undefined;
  private last: Entry<T> | undefined;
  private timer: Timer | undefined;
  private count = 0;

  constructor(
    private readonly clock: Clock,
    private readonly lengthMs: number,
    private readonly onDue: (item: T) => void,
  ) {}

  get size(): number {
    return this.count;
  }

  add(item: T): Deadline {
    const entry = new Entry(item, this.clock.now() + this.lengthMs, this);
    entry.before = this.last;
    if (this.last === undefined) this.first = entry;
    else this.last.after = entry;
    this.last = entry;
    this.count += 1;
    this.timer ??= this.clock.setTimer(this.lengthMs, () => this.fire());
    return entry;
  }

  /** For `Deadline.cancel`. The timer stays: when it fires early it is set anew. */
  remove(entry: Entry<T>): void {
    entry.isOpen = false;
    this.count -= 1;
    if (entry.before === undefined) this.first = entry.after;
    else entry.before.after = entry.after;
    if (entry.after === undefined) this.last = entry.before;
    else entry.after.before = entry.before;
    // One that is dead but was promoted would keep all later ones, and their records, alive until a major collection.
    entry.before = undefined;
    entry.after = undefined;
  }

  /** Forgets all of them and the timer. */
  clear(): void {
    while (this.first !== undefined) this.remove(this.first);
    this.timer?.cancel();
    this.timer = undefined;
  }

  private fire(): void {
    this.timer = undefined;
    const nowMs = this.clock.now();
    while (this.first !== undefined && this.first.dueMs <= nowMs) {
      const { first } = this;
      this.remove(first);
      this.onDue(first.item);
    }
    if (this.first !== undefined) {
      this.timer ??= this.clock.setTimer(this.first.dueMs - nowMs, () => this.fire());
    }
  }
}
