import type { Ending } from './acknowledgments.port.js';
import type { Statement } from './ledger-session.js';

/** A dead record as it was accepted. */
export interface DeadLetter {
  readonly ending: Ending;
  readonly acceptedAt: Date;
  /** The accepted bytes, before egress; null for a tombstone. */
  readonly body: Buffer | null;
  readonly headers: Buffer | null;
  /** Absent for a REST record. */
  readonly position?: DeadPosition;
}

/** Where a dead Kafka record stands. */
export interface DeadPosition {
  readonly source: number;
  readonly partition: number;
  readonly offset: bigint;
  /** The exact key, where text can't keep it. */
  readonly keyBytes: Buffer | null;
}

/** Runs statements of a transaction that somebody else begins and commits. */
export interface TransactionSession {
  query<Row extends unknown[]>(
    statement: Statement,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: Row[] }>;
}

/** Writes dead letters inside the transaction that takes their records out of the journal. */
export abstract class DeadLetterWriter {
  abstract insert(session: TransactionSession, letters: readonly DeadLetter[]): Promise<void>;

  /** That transaction has been committed, with so many letters. */
  abstract committed(letters: number): void;

  /** The ledger opens: the number of letters must be read (again), as a transaction's outcome may be unknown. */
  abstract recount(session: TransactionSession): Promise<void>;
}
