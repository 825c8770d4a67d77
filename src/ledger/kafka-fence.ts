import { int4Array, int8Array } from './binary-array.js';
import type { KafkaMarks } from './kafka-marks.js';
import type { LedgerSession } from './ledger-session.js';
import { PartitionBooks } from './partition-books.js';
import { bookedOf, type PartitionRow } from './position-row.js';
import { FENCE } from './statements/kafka.statements.js';

/**
 * Settles what is in doubt after a lost connection: takes the partitions from ourselves, so that the lost statement is
 * either in what comes back, or can never be any more. Does nothing while nothing is in doubt. Rejects like a statement.
 */
export async function settleDoubt(session: LedgerSession, marks: KafkaMarks): Promise<void> {
  if (!marks.isInDoubt) return;
  const known = marks.all();
  const { rows } = await session.query<PartitionRow>(FENCE, [
    int4Array(known.map((mark) => mark.source)),
    int4Array(known.map((mark) => mark.partition)),
    int8Array(known.map((mark) => mark.epoch)),
  ]);
  const ours = new Set(
    rows.flatMap((row) => {
      const mark = marks.get(row[0], row[1]);
      if (mark === undefined) return [];
      const booked = bookedOf(row);
      mark.epoch = booked.epoch;
      mark.books = new PartitionBooks(booked);
      return [mark];
    }),
  );
  for (const mark of known) if (!ours.has(mark)) marks.drop(mark);
  marks.isInDoubt = false;
}
