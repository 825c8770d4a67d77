import { LedgerError } from './ledger.error.js';

/**
 * The journal has an earlier record of the same tenant and idempotency key, sent with other content. Nothing was kept:
 * answer 422; sending it again ends the same way until the key has expired.
 */
export class IdempotencyKeyReusedError extends LedgerError {
  override readonly name = 'IdempotencyKeyReusedError';
  readonly code = 'LEDGER_IDEMPOTENCY_KEY_REUSED';
  readonly retryable = false;

  constructor() {
    super('The Idempotency-Key was used before, for a request with other content.');
  }
}
