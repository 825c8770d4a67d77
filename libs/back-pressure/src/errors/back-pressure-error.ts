/**
 * Why something was not taken in. Nothing happened to the record: it may be sent again after `retryAfterMs`.
 *
 * CapacityExhaustedError: no credit. RateLimitedError: the caller's quota. IntakeClosedError: nothing is accepted at all.
 */
export abstract class BackPressureError extends Error {
  abstract readonly code: string;
  readonly retryable = true;
  /** The stage that is the cause, as far as it is known. */
  readonly stage: string;
  /** What it lacks: `credit`, `queue`, `rate`, … */
  readonly signal: string;
  /** Pressure of that stage, 0..1; absent when pressure is not the cause. */
  readonly pressure: number | undefined;
  /** Without jitter. */
  readonly retryAfterMs: number;

  constructor(message: string, details: BackPressureErrorDetails) {
    super(message);
    this.stage = details.stage;
    this.signal = details.signal;
    this.pressure = details.pressure;
    this.retryAfterMs = details.retryAfterMs;
  }

  override get name(): string {
    return this.constructor.name;
  }
}

export interface BackPressureErrorDetails {
  readonly stage: string;
  readonly signal: string;
  readonly pressure?: number;
  readonly retryAfterMs: number;
}
