import type { PipelineRecord, Terminal } from '../pipeline/record.js';

/** A row of the Postgres sink's table, written in the transaction that ends its record. */
export interface OutputRow {
  /** A table name that `ensureSinkTable` has checked. */
  readonly table: string;
  readonly key: string | null;
  /** JSON in UTF-8. */
  readonly payload: Buffer;
  /** JSON, or null for none. */
  readonly headers: string | null;
}

/** What the destination knows the record by. One that isn't a text is made one where the books want it. */
export type ExternalId = string | { toString(): string };

/** The end of a record, as the books shall hold it; or what one of its destinations answered. */
export interface Ending {
  readonly record: PipelineRecord;
  readonly terminal: Terminal;
  readonly attempts: number;
  /** Name of the destination; '' when the record reached none. */
  readonly destination: string;
  readonly externalId?: ExternalId | undefined;
  readonly output?: OutputRow;
  /**
   * Of a record with several destinations. `part`: this one has it, and the record goes on; its acknowledgment and output
   * row are entered, its journal row stays. `last`: the record ends. Absent: it has no other destination.
   */
  readonly step?: 'part' | 'last';
  /**
   * With `last`: what its other destinations answered. Each dead one gets a letter of its own; an acknowledged one whose
   * part is in the books changes nothing.
   */
  readonly others?: readonly Ending[];
}

/** An ending that the database refuses for a value in it. Its record has not ended. */
export interface RefusedEnding {
  readonly ending: Ending;
  readonly error: Error;
  readonly sqlState: string;
}

/** Where the end of accepted records is entered. */
export abstract class Acknowledgments {
  /**
   * Enters the ends: the journal row goes, the acknowledgment (or dead letter) and the output row come, in one
   * transaction. Waits through an outage and repeats; entering an end twice is the same as once. Calls are entered in
   * their order, parts of a batch before its ends. Of a Kafka record a part is its output row alone: what it acknowledges
   * is entered with the end, as its broker brings it to all destinations again until then. Resolves with the endings whose values the database refuses (SQLSTATE class 22 or 23).
   *
   * Rejects with LedgerStoppedError only.
   */
  abstract finish(endings: readonly Ending[]): Promise<readonly RefusedEnding[]>;
}
