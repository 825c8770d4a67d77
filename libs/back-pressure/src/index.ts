// Asking for credits, reporting load, reading pressure
export { BackPressureController } from './back-pressure-controller.js';
export type { Admission, AdmitOptions } from './admission-queue.js';
export type { StageMeter } from './stage-meter.js';
export type { PipelineStatus, StageStatus } from './pipeline-status.js';
export { type Bottleneck, type Level, type PressureWeights, scale } from './pressure.js';

// Setting it up
export { BackPressureModule } from './back-pressure.module.js';
export type { BackPressureAsyncOptions } from './back-pressure.module.js';
export {
  type BackPressureOptions,
  DEFAULT_WEIGHTS,
  type SemaphoreSpec,
  type StageLimits,
  type StageSpec,
  type TriggerSource,
} from './back-pressure.options.js';
export type { ProcessProbe } from './process-probe.js';

// Guarding a request handler
export { UseCredits, UseSemaphore, UseSemaphoreAndCredits } from './back-pressure.decorators.js';
export { BoundedSemaphoreInterceptor } from './bounded-semaphore.interceptor.js';
export { CreditInterceptor } from './credit.interceptor.js';
export { GuardInterceptor } from './guard.interceptor.js';
export { admissionOf, lotOf, permitOf, takeAdmission, takeLot } from './request-grants.js';

// Refusing a caller
export { BackPressureError } from './errors/back-pressure-error.js';
export { CapacityExhaustedError } from './errors/capacity-exhausted.error.js';
export { IntakeClosedError } from './errors/intake-closed.error.js';
export { type Quota, RateLimitedError } from './errors/rate-limited.error.js';
export { BackPressureExceptionFilter } from './back-pressure-exception.filter.js';
export { type ProblemDocument, problemHeaders, problemOf } from './problem.js';

// Watching it
export { BackPressureHealthIndicator } from './back-pressure.health.js';
export type {
  BackPressureEventMap,
  BackPressureEvents,
  LevelChange,
  ReactionChange,
  RecordRefusal,
  Surplus,
} from './back-pressure.events.js';
export type { TriggerChange } from './trigger.js';
