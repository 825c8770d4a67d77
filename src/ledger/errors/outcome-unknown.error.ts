import { LedgerError } from './ledger.error.js';

/**
 * The connection was lost while the records were written: they may be kept, and if they are, they are carried on.
 * Answer 503 `outcome-unknown`; the caller repeats the request with the same Idempotency-Key.
 */
export class OutcomeUnknownError extends LedgerError {
  override readonly name = 'OutcomeUnknownError';
  readonly code = 'LEDGER_OUTCOME_UNKNOWN';
  readonly retryable = true;

  constructor(
    readonly records: number,
    options?: ErrorOptions,
  ) {
    super(
      `The database was lost while ${records} records were written; they may have been kept.`,
      options,
    );
  }
}
