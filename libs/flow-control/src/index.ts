// Time and randomness
export { type Clock, type RandomSource, SystemClock, type Timer, sleep } from './clock.js';

// What a wait can reject with
export { CreditQueueFullError } from './errors/credit-queue-full.error.js';
export { CreditWaitAbortedError } from './errors/credit-wait-aborted.error.js';
export { CreditWaitTimeoutError } from './errors/credit-wait-timeout.error.js';
export { FlowControlError } from './errors/flow-control-error.js';
export { PoolClosedError } from './errors/pool-closed.error.js';
export { SemaphoreFullError } from './errors/semaphore-full.error.js';
export { SemaphoreWaitAbortedError } from './errors/semaphore-wait-aborted.error.js';
export { SemaphoreWaitTimeoutError } from './errors/semaphore-wait-timeout.error.js';
