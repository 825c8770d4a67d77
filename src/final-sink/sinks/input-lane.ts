import type { OrderedCompletion } from '#libs/kafka';

/** A record of an input partition, as far as its order is concerned. */
export interface LaneItem {
  readonly offset: bigint;
  readonly completion: OrderedCompletion;
}

export interface LaneCut<T> {
  /** In the order of their offsets. */
  readonly items: readonly T[];
  /** Where the group goes on when these have ended. */
  readonly nextOffset: bigint;
}

/**
 * The records of one input partition that wait for their transaction, and where it may be cut: at offsets below which
 * every record has ended, or is in it.
 *
 * IL1 no record that is in flight anywhere lies below the end of a cut without being in it.
 * IL2 a record is in one cut that was committed, at most, and cuts come in the order of the offsets.
 * IL3 records of a partition that is no longer ours, or is read anew, are in no cut.
 * Bounded by the credits of the stage: every item holds one.
 */
export class InputLane<T extends LaneItem> {
  /** Ascending. */
  private queue: T[] = [];
  /** Behind what was committed: those records end in the books a moment later. */
  private position = 0n;

  get size(): number {
    return this.queue.length;
  }

  /** They come in their order, nearly always. */
  push(item: T): void {
    let at = this.queue.length;
    while (at > 0 && this.queue[at - 1]!.offset > item.offset) at -= 1;
    this.queue.splice(at, 0, item);
  }

  /** Takes out the records that are somebody else's by now (IL3). */
  takeLost(): readonly T[] {
    const lost = this.queue.filter(({ completion }) => !completion.isOurs);
    if (lost.length > 0) this.queue = this.queue.filter(({ completion }) => completion.isOurs);
    return lost;
  }

  /** It is in no cut, and has no end: no later cut goes past it (IL1). */
  remove(item: T): void {
    this.queue = this.queue.filter((each) => each !== item);
  }

  takeAll(): readonly T[] {
    const all = this.queue;
    this.queue = [];
    return all;
  }

  /** The largest cut; undefined when the lowest record waits for one that has not come. To be called after `takeLost`. */
  cut(): LaneCut<T> | undefined {
    const [first] = this.queue;
    if (first === undefined) return undefined;
    const offsets = this.queue.map(({ offset }) => offset);
    const { count, nextOffset } = first.completion.cut(offsets, this.position);
    return count === 0 ? undefined : { items: this.queue.slice(0, count), nextOffset };
  }

  /** The cut has happened. */
  committed({ items, nextOffset }: LaneCut<T>): void {
    this.position = nextOffset;
    const ended = new Set(items);
    this.queue = this.queue.filter((item) => !ended.has(item));
  }

  /** Calls back once: when records of the partition have ended elsewhere, or it is no longer ours. */
  whenMoved(callback: () => void): void {
    this.queue[0]?.completion.whenMoved(callback);
  }
}
