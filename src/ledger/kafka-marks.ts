import { PartitionBooks, type PartitionBooksState } from './partition-books.js';
import { partitionId } from './kafka-position.js';

/** A partition of a Kafka source whose fence this process holds. */
export interface KafkaMark {
  readonly source: number;
  readonly partition: number;
  /** As the row of the books has it. */
  epoch: bigint;
  /** As the source was told it at the assignment; differs after an outage, when the fence was taken anew. */
  readonly toldEpoch: bigint;
  /** What the row holds, for certain. */
  books: PartitionBooks;
}

export interface TakenPartition extends PartitionBooksState {
  readonly topic: string;
  readonly incarnation: number;
  readonly source: number;
  readonly partition: number;
  readonly epoch: bigint;
}

/** A place in the books. */
export interface MarkedOffset {
  readonly mark: KafkaMark;
  readonly offset: bigint;
}

/**
 * The Kafka partitions of this process, and what the books hold of each. Bounded by the partitions that were ever
 * assigned to it.
 */
export class KafkaMarks {
  /** A statement's outcome is unknown: what the rows hold must be read anew before the next one. */
  isInDoubt = false;
  /** By the record id without its offset. */
  private readonly byId = new Map<string, KafkaMark>();
  private readonly byPlace = new Map<string, KafkaMark>();
  /** What `byId` has said last. */
  private lastId = '';
  private lastMark: KafkaMark | undefined;

  all(): readonly KafkaMark[] {
    return [...this.byId.values()];
  }

  /** An assignment: the partition is ours from now on. */
  take(row: TakenPartition): void {
    const { source, partition, epoch } = row;
    const id = partitionId(row.topic, row.incarnation, partition);
    const books = new PartitionBooks(row);
    const mark = { source, partition, epoch, toldEpoch: epoch, books };
    this.byId.set(id, mark);
    this.forgetLast();
    this.byPlace.set(placeOf(source, partition), mark);
  }

  /** Somebody else has the partition now. */
  drop(mark: KafkaMark): void {
    for (const [id, known] of this.byId) if (known === mark) this.byId.delete(id);
    this.forgetLast();
    const place = placeOf(mark.source, mark.partition);
    if (this.byPlace.get(place) === mark) this.byPlace.delete(place);
  }

  get(source: number, partition: number): KafkaMark | undefined {
    return this.byPlace.get(placeOf(source, partition));
  }

  /** Where the record of this id is entered; undefined when its partition isn't ours. */
  locate(recordId: string): MarkedOffset | undefined {
    const end = recordId.lastIndexOf(':');
    // Neighbours are of one partition as a rule.
    if (this.lastId.length !== end || !recordId.startsWith(this.lastId)) {
      this.lastId = recordId.slice(0, Math.max(0, end));
      this.lastMark = this.byId.get(this.lastId);
    }
    const mark = this.lastMark;
    return mark && { mark, offset: BigInt(recordId.slice(end + 1)) };
  }

  private forgetLast(): void {
    this.lastId = '';
    this.lastMark = undefined;
  }
}

function placeOf(source: number, partition: number): string {
  return `${source}:${partition}`;
}
