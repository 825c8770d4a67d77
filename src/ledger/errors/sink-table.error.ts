import { LedgerError } from './ledger.error.js';

/** Thrown at start when the table of the Postgres sink exists, or is to be made, and can't take its rows. Change the table. */
export class SinkTableError extends LedgerError {
  override readonly name = 'SinkTableError';
  readonly code = 'LEDGER_SINK_TABLE';
  readonly retryable = false;

  constructor(
    readonly table: string,
    finding: string,
    options?: ErrorOptions,
  ) {
    super(
      `The table ${table} (SINK_TABLE) can't take the rows of the Postgres sink: ${finding}.`,
      options,
    );
  }
}
