import type { LetterEvent } from './letter-trail.js';
import type { FailedAttempt, Priority, TerminalStatus } from '../pipeline/record.js';

/** What one destination answered. */
export interface RecordAcknowledgment {
  readonly destination: string;
  readonly attempts: number;
  readonly acknowledgedAt: Date;
  readonly externalId?: string;
}

/** A destination that did not get it. */
export interface DestinationDeadLetter {
  readonly destination: string;
  readonly reason: string;
}

/** What the books say about a record. */
export interface RecordStatus {
  readonly id: string;
  readonly status: 'accepted' | TerminalStatus;
  /** Absent, as `acceptedAt`, for a Kafka record that was acknowledged plainly: the books have its run, no row. */
  readonly tenant?: string;
  readonly acceptedAt?: Date;
  /** Absent for a terminal record: the books keep its end only. */
  readonly key?: string;
  readonly priority?: Priority;
  /** Why, for a dead letter or a discarded record. */
  readonly reason?: string;
  /** When it reached its end. */
  readonly endedAt?: Date;
  readonly acknowledgments: readonly RecordAcknowledgment[];
  /** Failed attempts of a dead letter, oldest first; of several destinations one after the other. */
  readonly failures?: readonly FailedAttempt[];
  /** Of a dead record with several destinations: those that did not get it. */
  readonly deadLetters?: readonly DestinationDeadLetter[];
  /** How often it was sent again from its dead letters; absent for never. */
  readonly redrives?: number;
  /** What happened to its dead letters, oldest first, without names. */
  readonly trail?: readonly Omit<LetterEvent, 'by'>[];
  /** Of a Kafka record that was acknowledged at the first attempt. */
  readonly run?: AcknowledgedRun;
}

/** Kafka records that were acknowledged together, as far as the books tell. Its time is that of its newest record. */
export interface AcknowledgedRun {
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  /** Fewer than its offsets when some held no record. */
  readonly records: number;
  readonly acknowledgedAt: Date;
}

/** A position of a Kafka partition of which the books say nothing (any more). */
export interface AbsentPosition {
  readonly id: string;
  /** `not-seen`: it has no end yet, as far as the books know. `expired`: its run was dropped by retention. */
  readonly status: 'not-seen' | 'expired';
  readonly topic: string;
  readonly partition: number;
  /** Every offset below has ended. */
  readonly low: bigint;
}

export function isAbsent(found: RecordStatus | AbsentPosition): found is AbsentPosition {
  return found.status === 'not-seen' || found.status === 'expired';
}

/** Finds a record by its id, wherever it is. */
export abstract class RecordLookup {
  /** Undefined when the books don't know the id, or it isn't one. */
  abstract find(id: string): Promise<RecordStatus | AbsentPosition | undefined>;

  /** Finds many REST records at once; those that the books don't know are left out. */
  abstract findAll(ids: readonly string[]): Promise<ReadonlyMap<string, RecordStatus>>;
}
