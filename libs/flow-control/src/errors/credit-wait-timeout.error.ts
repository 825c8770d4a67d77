import { FlowControlError } from './flow-control-error.js';

/** No credit came free in time. The stage behind the pool is slow: keep the records where they are, or refuse them. */
export class CreditWaitTimeoutError extends FlowControlError {
  readonly code = 'FC_CREDIT_WAIT_TIMEOUT';
  readonly retryable = true;
  readonly pool: string;
  readonly count: number;
  readonly waitedMs: number;

  constructor(details: { pool: string; count: number; waitedMs: number }) {
    super(
      `${details.pool} granted none of ${details.count} credits within ${Math.round(details.waitedMs)} ms`,
    );
    this.pool = details.pool;
    this.count = details.count;
    this.waitedMs = details.waitedMs;
  }
}
