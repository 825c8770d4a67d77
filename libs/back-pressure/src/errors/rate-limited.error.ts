import { BackPressureError } from './back-pressure-error.js';

/** What a caller may have, as the `RateLimit-Policy` header field tells it. */
export interface Quota {
  readonly name: string;
  readonly limit: number;
  /** Absent for a limit of what may be there at a time. */
  readonly windowSeconds?: number;
}

/** The caller is above its own quota. It waits `retryAfterMs` (the quota's reset) and sends the record again. */
export class RateLimitedError extends BackPressureError {
  readonly code = 'BP_RATE_LIMITED';
  /** Absent: the caller is not told. */
  readonly quota: Quota | undefined;

  constructor(details: {
    readonly stage: string;
    readonly signal?: string;
    readonly retryAfterMs: number;
    readonly detail?: string;
    readonly quota?: Quota;
  }) {
    const { stage, signal = 'rate', retryAfterMs, quota } = details;
    const waitMs = Math.ceil(retryAfterMs);
    super(details.detail ?? `The rate limit of ${stage} is used up for ${waitMs} ms`, {
      stage,
      signal,
      retryAfterMs,
    });
    this.quota = quota;
  }
}
