// Time and randomness
export { type Clock, type RandomSource, SystemClock, type Timer, sleep } from './clock.js';

// Credits between stages
export type { Sizes } from './byte-prefix.js';
export {
  type AcquireOptions,
  CreditPool,
  type CreditPoolOptions,
  type CreditPoolSnapshot,
} from './credit-pool.js';
export type { Lane, Lot } from './lot.js';
export type { PoolSize } from './pool-limits.js';
export { type WaitOptions, WaiterQueue } from './waiter-queue.js';

// Permits inside a stage
export {
  BoundedSemaphore,
  type BoundedSemaphoreOptions,
  type BoundedSemaphoreSnapshot,
  type Permit,
} from './bounded-semaphore.js';

// Order per key
export { KeyedSequencer } from './keyed-sequencer.js';

// What a wait can reject with
export { CreditQueueFullError } from './errors/credit-queue-full.error.js';
export { CreditWaitAbortedError } from './errors/credit-wait-aborted.error.js';
export { CreditWaitTimeoutError } from './errors/credit-wait-timeout.error.js';
export { FlowControlError } from './errors/flow-control-error.js';
export { PoolClosedError } from './errors/pool-closed.error.js';
export { SemaphoreFullError } from './errors/semaphore-full.error.js';
export { SemaphoreWaitAbortedError } from './errors/semaphore-wait-aborted.error.js';
export { SemaphoreWaitTimeoutError } from './errors/semaphore-wait-timeout.error.js';

// Rates
export { type TakeResult, TokenBucket, type TokenBucketOptions } from './token-bucket.js';

// Measuring
export { Ewma, type EwmaOptions } from './window/ewma.js';
export { LatencyHistogram } from './window/latency-histogram.js';
export {
  SlidingCounter,
  SlidingRatio,
  type SlidingWindowOptions,
} from './window/sliding-window.js';
export { TimeWeightedMean, type TimeWeightedMeanOptions } from './window/time-weighted-mean.js';
export { WindowedQuantile, type WindowedQuantileOptions } from './window/windowed-quantile.js';

// Calling a destination that may fail
export { type Backoff, type BackoffOptions, fullJitterBackoff } from './retry/backoff.js';
export {
  type BreakerState,
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitBreakerSnapshot,
  type Ticket,
} from './retry/circuit-breaker.js';
export {
  RetryBudget,
  type RetryBudgetOptions,
  type RetryBudgetSnapshot,
} from './retry/retry-budget.js';

// Choosing a partition
export { murmur2, murmur2Key, partitionOf } from './partition/murmur2.js';
export { twoChoices } from './partition/two-choices.js';
