import type { Ending } from './acknowledgments.port.js';
import type { EndTotals } from './end-totals.js';
import type { TransactionSession } from './transaction-session.js';

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

/** What a transaction does to the letters. */
export interface LetterChange {
  readonly added: number;
  /** Redriven letters whose record has reached another end. */
  readonly redriven: number;
  /** Redriven letters that wait again. */
  readonly returned: number;
}

/** Redriven letters whose record has ended, and what that does to the totals. */
export interface EndedRedrives {
  /** Those that were still being redriven; the others had ended before, and write nothing. */
  readonly ended: readonly Ending[];
  readonly totals: EndTotals;
}

/** Writes dead letters inside the transaction that takes their records out of the journal. */
export abstract class DeadLetterWriter {
  abstract insert(session: TransactionSession, letters: readonly DeadLetter[]): Promise<void>;

  /**
   * Takes the letters of redriven records out of the state `redriving`, in the transaction that enters the ends: back to
   * waiting with the attempts of this time, or to redriven. Each at most once (RedrivenLetter.redriveCount). Other
   * destinations that gave the record up get letters of their own.
   */
  abstract endRedrives(
    session: TransactionSession,
    endings: readonly Ending[],
  ): Promise<EndedRedrives>;

  /** Those whose letter is in their redrive; it stays so until the transaction ends. */
  abstract underRedrive(
    session: TransactionSession,
    parts: readonly Ending[],
  ): Promise<readonly Ending[]>;

  /** That transaction has been committed. */
  abstract committed(change: LetterChange): void;

  /** The ledger opens: the number of letters must be read (again), as a transaction's outcome may be unknown. */
  abstract recount(session: TransactionSession): Promise<void>;
}
