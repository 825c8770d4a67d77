import { requireCount } from './option-range.js';

interface Queued<T> {
  readonly item: T;
  next: Queued<T> | undefined;
}

interface Line<T> {
  first: Queued<T>;
  last: Queued<T>;
}

/**
 * One record of a key at a time, other keys in parallel. Holds items, runs nothing: the caller works on what is ready
 * and says `done`.
 *
 * 1. At most one item of a key is ready (given out and not done).
 * 2. The items of a key become ready in the order in which they were offered.
 * 3. `size` = keyed items inside, ready and queued, ≤ capacity. An item without a key passes at once and is not counted.
 * 4. A key without items costs nothing: its entry goes with its last item.
 */
export class KeyedSequencer<T> {
  private capacity: number;
  private inside = 0;
  /** Key → what waits behind its ready item, `null` when nothing does (the common case: no object per key). */
  private readonly lines = new Map<string, Line<T> | null>();

  constructor({ capacity }: { readonly capacity: number }) {
    requireCount('KeyedSequencer', 'capacity', capacity, 1);
    this.capacity = capacity;
  }

  /** What is inside stays, also in a smaller one. */
  resize(capacity: number): void {
    requireCount('KeyedSequencer', 'capacity', capacity, 1);
    this.capacity = capacity;
  }

  /** Keyed items inside, ready and queued. */
  get size(): number {
    return this.inside;
  }

  /** Keys with a ready item. */
  get activeKeys(): number {
    return this.lines.size;
  }

  /** `ready`: work on it now. `queued`: a later `done` returns it. `undefined`: full, the item was not taken. */
  offer(key: string | undefined, item: T): 'ready' | 'queued' | undefined {
    if (key === undefined) return 'ready';
    if (this.inside >= this.capacity) return undefined;
    this.inside += 1;
    const line = this.lines.get(key);
    if (line === undefined) {
      this.lines.set(key, null);
      return 'ready';
    }
    const queued: Queued<T> = { item, next: undefined };
    if (line === null) this.lines.set(key, { first: queued, last: queued });
    else line.last = line.last.next = queued;
    return 'queued';
  }

  /** The ready item of the key has ended. Returns the next one of that key, ready now. A key without one: nothing. */
  done(key: string | undefined): T | undefined {
    if (key === undefined) return undefined;
    const line = this.lines.get(key);
    if (line === undefined) return undefined;
    this.inside -= 1;
    if (line === null) {
      this.lines.delete(key);
      return undefined;
    }
    const { item, next } = line.first;
    if (next === undefined) this.lines.set(key, null);
    else line.first = next;
    return item;
  }

  /** Takes out what is queued and fits, each key in order. Ready items stay until they are done. */
  takeQueued(fits: (item: T) => boolean): T[] {
    const taken: T[] = [];
    for (const [key, line] of this.lines) {
      if (line !== null) this.lines.set(key, lineOf(line, fits, taken));
    }
    this.inside -= taken.length;
    return taken;
  }

  /** Takes out everything queued, each key in order. Ready items stay until they are done. */
  drain(): T[] {
    return this.takeQueued(() => true);
  }
}

/** What is left of a line without the items that fit, which go to `taken`. */
function lineOf<T>(line: Line<T>, fits: (item: T) => boolean, taken: T[]): Line<T> | null {
  let left: Line<T> | null = null;
  for (let queued: Queued<T> | undefined = line.first; queued; queued = queued.next) {
    const { item } = queued;
    if (fits(item)) {
      taken.push(item);
      continue;
    }
    const kept: Queued<T> = { item, next: undefined };
    if (left === null) left = { first: kept, last: kept };
    else left.last = left.last.next = kept;
  }
  return left;
}
