import type { FailedAttempt, Priority, TerminalStatus } from '../pipeline/record.js';

/** What one destination answered. */
export interface RecordAcknowledgment {
  readonly destination: string;
  readonly attempts: number;
  readonly acknowledgedAt: Date;
  readonly externalId?: string;
}

/** What the books say about a record. */
export interface RecordStatus {
  readonly id: string;
  readonly status: 'accepted' | TerminalStatus;
  readonly tenant: string;
  readonly acceptedAt: Date;
  /** Absent for a terminal record: the books keep its end only. */
  readonly key?: string;
  readonly priority?: Priority;
  /** Why, for a dead letter or a discarded record. */
  readonly reason?: string;
  /** When it reached its end. */
  readonly endedAt?: Date;
  readonly acknowledgments: readonly RecordAcknowledgment[];
  /** Failed attempts of a dead letter, oldest first. */
  readonly failures?: readonly FailedAttempt[];
}

/** Finds a record by its id, wherever it is. */
export abstract class RecordLookup {
  /** Undefined when the books don't know the id, or it isn't one. */
  abstract find(id: string): Promise<RecordStatus | undefined>;
}
