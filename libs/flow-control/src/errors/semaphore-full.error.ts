import { FlowControlError } from './flow-control-error.js';

/** All permits are taken and the queue is full. Refuse the work at once, or try again later. */
export class SemaphoreFullError extends FlowControlError {
  readonly code = 'FC_SEMAPHORE_FULL';
  readonly retryable = true;
  readonly semaphore: string;
  readonly capacity: number;
  readonly queued: number;

  constructor(details: { semaphore: string; capacity: number; queued: number }) {
    super(
      `${details.semaphore}: all ${details.capacity} permits are taken and ${details.queued} callers wait`,
    );
    this.semaphore = details.semaphore;
    this.capacity = details.capacity;
    this.queued = details.queued;
  }
}
