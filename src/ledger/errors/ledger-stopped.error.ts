import { LedgerError } from './ledger.error.js';

/** The ledger has stopped before the end could be entered. The record stays in the journal, for the next start. */
export class LedgerStoppedError extends LedgerError {
  override readonly name = 'LedgerStoppedError';
  readonly code = 'LEDGER_STOPPED';
  readonly retryable = false;

  constructor(options?: ErrorOptions) {
    super('The ledger has stopped; the record stays in the journal.', options);
  }
}
