import { FlowControlError } from './flow-control-error.js';

/** The pool or semaphore was closed by drain or stop. Hand the work back where it came from; another process will do it. */
export class PoolClosedError extends FlowControlError {
  readonly code = 'FC_CLOSED';
  readonly retryable = false;
  readonly owner: string;

  /** `owner` names the pool or semaphore. */
  constructor(owner: string) {
    super(`${owner} is closed`);
    this.owner = owner;
  }
}
