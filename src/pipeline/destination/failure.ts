/**
 * How an attempt at a destination failed; what follows from it is the same for egress calls and sinks.
 *
 * - `outage`: no answer at all. Costs no attempt: the record waits, and that is pressure.
 * - `busy`: the destination asks to come back later (`retryAfterMs`). Costs no attempt.
 * - `retryable`: costs an attempt.
 * - `final`: an answer about the record. Dead letter at once.
 */
export interface Failure {
  readonly kind: 'outage' | 'busy' | 'retryable' | 'final';
  /** A sentence for the dead letter; no payload, no secret. */
  readonly message: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
  /** No answer in time. */
  readonly isTimeout?: boolean;
  /** Two transactions met (SQLSTATE 40): it says nothing about the destination, so the breaker does not count it. */
  readonly isConflict?: boolean;
  /** Of a `final` one: the reason of the dead letter. Default `rejected`. */
  readonly reason?: 'unsafe-number' | 'pipeline';
}

/** Answers about the destination rather than the record: a credential, a proxy without a service behind it. */
const ABSENT_STATUSES: ReadonlySet<number> = new Set([401, 403, 502, 503, 504]);

/**
 * A timeout, 401, 403, 502, 503 or 504 is an outage as long as nothing else of the destination has succeeded since the
 * record's first attempt; when others get through, it is this record.
 */
export function asOutage(failure: Failure, haveOthersSucceeded: boolean): Failure {
  const isSilence = failure.isTimeout === true || ABSENT_STATUSES.has(failure.status ?? 0);
  if (failure.kind !== 'retryable' || haveOthersSucceeded || !isSilence) return failure;
  return { ...failure, kind: 'outage' };
}
