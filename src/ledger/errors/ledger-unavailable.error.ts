import { LedgerError } from './ledger.error.js';

export type UnavailableReason = 'database-away' | 'partitions-elsewhere' | 'too-slow' | 'stopping';

/** The books can't be written now. Nothing was kept: answer 503 and let the caller send the record again. */
export class LedgerUnavailableError extends LedgerError {
  override readonly name = 'LedgerUnavailableError';
  readonly code = 'LEDGER_UNAVAILABLE';
  readonly retryable = true;

  constructor(
    readonly reason: UnavailableReason,
    detail: string,
    options?: ErrorOptions,
  ) {
    super(`The record was not kept: ${detail}`, options);
  }
}
