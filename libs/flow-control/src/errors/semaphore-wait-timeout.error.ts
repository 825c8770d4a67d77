import { FlowControlError } from './flow-control-error.js';

/** No permit came free in time. Nothing is held; refuse the work, or try again later. */
export class SemaphoreWaitTimeoutError extends FlowControlError {
  readonly code = 'FC_SEMAPHORE_WAIT_TIMEOUT';
  readonly retryable = true;
  readonly semaphore: string;
  readonly waitedMs: number;

  constructor(details: { semaphore: string; waitedMs: number }) {
    super(`${details.semaphore} had no permit within ${Math.round(details.waitedMs)} ms`);
    this.semaphore = details.semaphore;
    this.waitedMs = details.waitedMs;
  }
}
