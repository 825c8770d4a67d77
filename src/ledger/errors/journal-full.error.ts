import { LedgerError } from './ledger.error.js';

/** The journal holds as much as it may. Nothing was kept: answer 429, signal `journal-backlog`. */
export class JournalFullError extends LedgerError {
  override readonly name = 'JournalFullError';
  readonly code = 'LEDGER_JOURNAL_FULL';
  readonly retryable = true;

  constructor(
    readonly level: {
      readonly records: number;
      readonly bytes: number;
      readonly maxRecords: number;
      readonly maxBytes: number;
    },
  ) {
    super(
      `The journal is full: ${level.records} of ${level.maxRecords} records, ` +
        `${level.bytes} of ${level.maxBytes} bytes.`,
    );
  }
}
