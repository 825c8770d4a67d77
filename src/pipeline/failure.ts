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
}
