import { FlowControlError } from './flow-control-error.js';

/** The caller's own signal ended the wait. Nothing was granted; stop as the signal asked. */
export class CreditWaitAbortedError extends FlowControlError {
  readonly code = 'FC_CREDIT_WAIT_ABORTED';
  readonly retryable = false;
  readonly pool: string;
  readonly count: number;
  readonly waitedMs: number;

  /** `reason` is the signal's reason and becomes the cause. */
  constructor(details: { pool: string; count: number; waitedMs: number; reason: unknown }) {
    super(`The wait for ${details.count} credits of ${details.pool} was cancelled`, {
      cause: details.reason,
    });
    this.pool = details.pool;
    this.count = details.count;
    this.waitedMs = details.waitedMs;
  }
}
