import { LedgerError } from './ledger.error.js';

/**
 * PostgreSQL refuses a value of these records (SQLSTATE class 22 or 23). Nothing of the call was kept. What the Gateway
 * checks makes this a defect of the service: answer 500; sending it again ends the same way.
 */
export class RecordRefusedError extends LedgerError {
  override readonly name = 'RecordRefusedError';
  readonly code = 'LEDGER_RECORD_REFUSED';
  readonly retryable = false;

  constructor(
    readonly sqlState: string,
    options?: ErrorOptions,
  ) {
    super(`The database refuses the record (SQLSTATE ${sqlState}).`, options);
  }
}
