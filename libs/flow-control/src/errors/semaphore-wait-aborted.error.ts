import { FlowControlError } from './flow-control-error.js';

/** The caller's own signal ended the wait. Nothing is held; stop as the signal asked. */
export class SemaphoreWaitAbortedError extends FlowControlError {
  readonly code = 'FC_SEMAPHORE_WAIT_ABORTED';
  readonly retryable = false;
  readonly semaphore: string;
  readonly waitedMs: number;

  /** `reason` is the signal's reason and becomes the cause. */
  constructor(details: { semaphore: string; waitedMs: number; reason: unknown }) {
    super(`The wait for a permit of ${details.semaphore} was cancelled`, { cause: details.reason });
    this.semaphore = details.semaphore;
    this.waitedMs = details.waitedMs;
  }
}
