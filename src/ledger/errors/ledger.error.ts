/**
 * What the ledger rejects with. Thrown by Journal: LedgerUnavailableError, OutcomeUnknownError, JournalFullError,
 * RecordRefusedError. Thrown at the start: PartitionCountError, SinkTableError, JournalNotEmptyError. Thrown by
 * Acknowledgments: LedgerStoppedError. Made by IngressProcessing of the journal's answer: IdempotencyKeyReusedError.
 */
export abstract class LedgerError extends Error {
  abstract readonly code: string;
  /** Whether the same call may succeed later. */
  abstract readonly retryable: boolean;
}
