import { LedgerError } from './ledger.error.js';

/**
 * The database was used with another number of partitions and its journal is not empty. The service does not start: set
 * KEYGEN_NUMBER_OF_PARTITIONS back, let the journal run empty, then change it.
 */
export class PartitionCountError extends LedgerError {
  override readonly name = 'PartitionCountError';
  readonly code = 'LEDGER_PARTITION_COUNT';
  readonly retryable = false;

  constructor(
    readonly stored: number,
    readonly configured: number,
    readonly journalRecords: number,
  ) {
    super(
      `KEYGEN_NUMBER_OF_PARTITIONS is ${configured}, but the journal holds ${journalRecords} records of ${stored} ` +
        `partitions: start with ${stored} until the journal is empty.`,
    );
  }
}
