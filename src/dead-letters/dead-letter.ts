import type { FailedAttempt, Priority } from '../pipeline/record.js';
import type { LetterEvent } from '../ledger/letter-trail.js';

/** `waiting` for somebody, `redriving` on its way again, `redriven` to another end, or `discarded` by an operator. */
export const LETTER_STATES = ['waiting', 'redriving', 'redriven', 'discarded'] as const;
export type LetterState = (typeof LETTER_STATES)[number];

/** A dead letter as lists show it. */
export interface DeadLetterSummary {
  readonly id: string;
  readonly recordId: string;
  /** Name of the destination that did not take the record; '' when it reached none. */
  readonly destination: string;
  readonly tenant: string;
  /** Text, or the base64 of a key that is none; null for none. */
  readonly key: string | null;
  readonly priority: Priority;
  readonly reason: string;
  readonly stage: string;
  readonly state: LetterState;
  readonly attempts: number;
  readonly lastError: string | null;
  readonly sizeBytes: number;
  readonly acceptedAt: Date;
  readonly deadLetteredAt: Date;
  readonly redriveCount: number;
}

/** All of a dead letter. */
export interface DeadLetterDetail extends DeadLetterSummary {
  /** As they were accepted; null for a tombstone. */
  readonly payload: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Every failed attempt, oldest first. */
  readonly failures: readonly FailedAttempt[];
  readonly trail: readonly LetterEvent[];
}

/** Which letters; what is absent is not asked for. */
export interface DeadLetterFilter {
  readonly reason?: string;
  readonly stage?: string;
  readonly key?: string;
  readonly destination?: string;
  readonly state?: LetterState;
  /** From this moment on. */
  readonly since?: Date;
  /** Before this moment. */
  readonly until?: Date;
}

/** What letters may be counted by. */
export const SUMMARY_COLUMNS = ['reason', 'stage', 'destination'] as const;
export type SummaryColumn = (typeof SUMMARY_COLUMNS)[number];

export interface DeadLetterGroup extends Readonly<Partial<Record<SummaryColumn, string>>> {
  readonly count: number;
  readonly oldest: Date;
  readonly newest: Date;
}
