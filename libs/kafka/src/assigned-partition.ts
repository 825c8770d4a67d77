import type { BookedPartition, BookedSource, BookEntry } from './kafka-source.js';
import { OffsetWatermark } from './offset-watermark.js';

/** Where a partition's books stand: kept by the last write, committed to the group. */
interface BookedState {
  readonly source: number;
  readonly incarnation: number;
  epoch: bigint;
  low: bigint;
  gaps: bigint;
}

/**
 * A partition that the group gave us. It is ready once its books are read and its position is set; until then, and
 * after `close`, nothing of it is handed off.
 */
export class AssignedPartition {
  mark: OffsetWatermark | undefined;
  /** Offset that the client fetches next, as far as we moved it. */
  position = 0n;
  /** The next batch begins with the record at `low` − 1, which tells whether this is still the same topic. */
  mustJudge = false;
  /** Settles when the position is known; the hand-off waits for it. */
  ready: Promise<void> = Promise.resolve();
  isReady = false;
  /** End of the partition as last seen: the last offset + 1. */
  end: bigint | undefined;
  committed: bigint | undefined;
  /** Bytes of the batch at hand that have no credit yet. */
  waitingBytes = 0;
  /** Monotonic ms since which the log end lies below `low`. */
  endBelowLowSinceMs: number | undefined;
  private booked: BookedState | undefined;
  private onRoom: (() => void) | undefined;
  private onMoved: (() => void) | undefined;

  constructor(
    readonly topic: string,
    readonly partition: number,
    /** Unique over all topics. */
    readonly lane: number,
  ) {}

  get incarnation(): number {
    return this.booked?.incarnation ?? 0;
  }

  get epoch(): bigint {
    return this.booked?.epoch ?? 0n;
  }

  /** What of the mark is in the books and may be committed. */
  get bookedLow(): bigint | undefined {
    return this.booked?.low;
  }

  /** Takes what the books say. The mark stays when nobody else had the partition since we booked it last. */
  take(source: BookedSource, row: BookedPartition, maxRecords: number): 'kept' | 'renewed' {
    const { booked, mark } = this;
    const isOurs =
      booked?.source === source.source &&
      booked.epoch + 1n === row.epoch &&
      mark?.isClosed === false;
    if (isOurs) {
      booked.epoch = row.epoch;
      mark.maxRecords = maxRecords;
      return 'kept';
    }
    mark?.close();
    const { low, doneAbove, gaps, boundaryTimestampMs } = row;
    this.mark = new OffsetWatermark({ low, doneAbove, gaps, boundaryTimestampMs, maxRecords });
    this.roomChanged();
    const { epoch } = row;
    this.booked = { source: source.source, incarnation: source.incarnation, epoch, low, gaps };
    return 'renewed';
  }

  /** The group has come this far without us: what lies below has ended, and is appended to the books as such. */
  endedUpTo(offset: bigint): void {
    this.mark?.endedUpTo(offset);
  }

  /** The row to write; undefined when there is nothing that may be written. */
  entry(): BookEntry | undefined {
    const { mark, booked } = this;
    if (!mark || !booked || mark.isClosed) return undefined;
    return {
      source: booked.source,
      partition: this.partition,
      epoch: booked.epoch,
      low: mark.low,
      doneAbove: mark.doneAbove(),
      gaps: mark.gaps,
      boundaryTimestampMs: mark.boundaryTimestampMs,
      records: mark.low - booked.low - (mark.gaps - booked.gaps),
    };
  }

  /** The books hold this entry. */
  keep(entry: BookEntry): void {
    if (this.booked?.source !== entry.source || entry.low < this.booked.low) return;
    this.booked.low = entry.low;
    this.booked.gaps = entry.gaps;
  }

  /** True when the refused entry is not outdated: the partition is somebody else's. */
  isFencedBy(entry: BookEntry): boolean {
    return this.booked?.source === entry.source && this.booked.epoch === entry.epoch;
  }

  /** The client went on to `next` by itself: there was no record up to there. False when it is not ready to hear that. */
  passed(next: bigint): boolean {
    const { mark } = this;
    if (!this.isReady || !mark) return false;
    this.position = next;
    mark.pass(mark.relative(next));
    return true;
  }

  close(): void {
    this.mark?.close();
    this.isReady = false;
    this.roomChanged();
  }

  /** Calls back once, when records of the partition ended or it was closed. */
  whenRoom(callback: () => void): void {
    this.onRoom = callback;
  }

  /** The same for those who wait with a transaction; each of the two has one place. */
  whenMoved(callback: () => void): void {
    this.onMoved = callback;
  }

  roomChanged(): void {
    const { onRoom, onMoved } = this;
    this.onRoom = undefined;
    this.onMoved = undefined;
    onRoom?.();
    onMoved?.();
  }
}
