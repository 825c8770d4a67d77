import { LedgerError } from './ledger.error.js';

/**
 * The journal holds records of REST, which exactly-once mode can't deliver: no offset stands for them. The service does not
 * start: let the journal run empty with at-least-once, then change the mode.
 */
export class JournalNotEmptyError extends LedgerError {
  override readonly name = 'JournalNotEmptyError';
  readonly code = 'LEDGER_JOURNAL_NOT_EMPTY';
  readonly retryable = false;

  constructor() {
    super(
      'KAFKA_DELIVERY_GUARANTEE is exactly-once, but the journal holds records that came over REST: start with ' +
        'at-least-once until the journal is empty.',
    );
  }
}
