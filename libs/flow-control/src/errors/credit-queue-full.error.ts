import { FlowControlError } from './flow-control-error.js';

/** As many callers wait for credits as may. Refuse the record upstream at once; waiting for the wait does not help. */
export class CreditQueueFullError extends FlowControlError {
  readonly code = 'FC_CREDIT_QUEUE_FULL';
  readonly retryable = true;
  readonly pool: string;
  readonly waiting: number;

  constructor(details: { pool: string; waiting: number }) {
    super(`${details.pool} has ${details.waiting} waiters already`);
    this.pool = details.pool;
    this.waiting = details.waiting;
  }
}
