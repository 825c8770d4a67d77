import type { BookedPartition } from '#libs/kafka';
import { byteaArray, int4Array, int8Array } from './binary-array.js';
import type { KafkaMark } from './kafka-marks.js';
import type { PartitionBooks, PartitionBooksState } from './partition-books.js';

/** A row of `kafka_watermark`: bigint columns come as text. */
export type PartitionRow = [
  source: number,
  partition: number,
  epoch: string,
  low: string,
  doneAbove: Buffer,
  gaps: string,
  boundaryTimestamp: string,
  ...unknown[],
];

/** The column is not null; a record of 1970 is as good as one without a time. */
const NO_TIMESTAMP = 0n;

export function bookedOf([
  ,
  partition,
  epoch,
  low,
  doneAbove,
  gaps,
  boundary,
]: PartitionRow): BookedPartition {
  const timestamp = BigInt(boundary);
  return {
    partition,
    epoch: BigInt(epoch),
    low: BigInt(low),
    doneAbove,
    gaps: BigInt(gaps),
    boundaryTimestampMs: timestamp === NO_TIMESTAMP ? undefined : Number(timestamp),
  };
}

/** What to write of a partition. */
export interface KeptPartition {
  readonly mark: KafkaMark;
  readonly books: PartitionBooks;
}

/** The first seven parameters of the statements that write watermarks. */
export function watermarkParameters(entries: readonly KeptPartition[]): Buffer[] {
  return [
    int4Array(entries.map(({ mark }) => mark.source)),
    int4Array(entries.map(({ mark }) => mark.partition)),
    int8Array(entries.map(({ mark }) => mark.epoch)),
    int8Array(entries.map(({ books }) => books.low)),
    byteaArray(entries.map(({ books }) => books.doneAbove)),
    int8Array(entries.map(({ books }) => books.gaps)),
    int8Array(entries.map(({ books }) => timestampOf(books))),
  ];
}

function timestampOf({ boundaryTimestampMs }: PartitionBooksState): bigint {
  return boundaryTimestampMs === undefined ? NO_TIMESTAMP : BigInt(Math.trunc(boundaryTimestampMs));
}
