import { takeDue } from '../pipeline/expiry.js';

/** What the line needs to know of an item. */
export interface Keyed {
  readonly record: { readonly key: string | undefined };
}

interface Held<T> {
  /** The item that goes before all others of its key. */
  readonly by: T;
  readonly waiting: T[];
}

/**
 * What waits for delivery, in order per key.
 *
 * DL1 items leave in the order in which they came, but for those of a held key: they wait aside, in order.
 * DL2 a key is held while an item of it must be decided before the next one may be sent. In an unordered line that is
 *     every item from its first send to its end; in an ordered one only an item that has failed.
 * DL3 a retried item goes first.
 * Bounded by the credits of the stage: every item holds one.
 */
export class DeliveryLine<T extends Keyed> {
  private readonly line: T[] = [];
  /** Sent before everything else, held keys or not: retried items, and items whose key has come free. */
  private readonly first: T[] = [];
  private readonly held = new Map<string, Held<T>>();

  constructor(private readonly isOrdered: boolean) {}

  push(items: readonly T[]): void {
    for (const item of items) this.line.push(item);
  }

  /** Takes the next items to be sent, at most `max`. */
  next(max: number): T[] {
    const batch: T[] = [];
    let taken = 0;
    while (batch.length < max && this.first.length > 0) this.send(batch, this.first.shift()!);
    for (; batch.length < max && taken < this.line.length; taken += 1) {
      this.send(batch, this.line[taken]!);
    }
    if (taken > 0) this.line.splice(0, taken);
    return batch;
  }

  /** Whether another item of the same key must be decided before this one. */
  isBehindOther(item: T): boolean {
    const { key } = item.record;
    const held = key === undefined ? undefined : this.held.get(key);
    return held !== undefined && held.by !== item;
  }

  /** The key waits until this item is released. */
  hold(item: T): void {
    const { key } = item.record;
    if (key !== undefined && !this.held.has(key)) this.held.set(key, { by: item, waiting: [] });
  }

  /** Puts an item behind the one that holds its key; only for an item of which `isBehindOther` is true. */
  putAside(item: T): void {
    const { key } = item.record;
    const held = key === undefined ? undefined : this.held.get(key);
    held?.waiting.push(item);
  }

  /** Takes out what waits and is in `due`: its turn will not come. */
  takeDue(due: ReadonlySet<T>): T[] {
    const taken = [...takeDue(this.first, due), ...takeDue(this.line, due)];
    for (const { waiting } of this.held.values()) taken.push(...takeDue(waiting, due));
    return taken;
  }

  /** These items, in this order, are to be sent again before everything else. */
  retry(items: readonly T[]): void {
    this.first.push(...items);
  }

  /** The item has its end: what waits behind it may go. Nothing happens unless it holds its key. */
  release(item: T): void {
    const { key } = item.record;
    const held = key === undefined ? undefined : this.held.get(key);
    if (key === undefined || held?.by !== item) return;
    const { waiting } = held;
    this.held.delete(key);
    const free = this.isOrdered ? waiting : waiting.splice(0, 1);
    this.first.push(...free);
    if (waiting.length > 0 && !this.isOrdered) this.held.set(key, { by: free[0]!, waiting });
  }

  private send(batch: T[], item: T): void {
    if (this.isBehindOther(item)) {
      this.putAside(item);
      return;
    }
    if (!this.isOrdered) this.hold(item);
    batch.push(item);
  }
}
