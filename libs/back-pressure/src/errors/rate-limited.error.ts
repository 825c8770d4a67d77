import { BackPressureError } from './back-pressure-error.js';

/** The caller is above its own rate. It waits `retryAfterMs` (the quota's reset) and sends the record again. */
export class RateLimitedError extends BackPressureError {
  readonly code = 'BP_RATE_LIMITED';

  constructor(details: {
    readonly stage: string;
    readonly signal?: string;
    readonly retryAfterMs: number;
    readonly detail?: string;
  }) {
    const { stage, signal = 'rate', retryAfterMs } = details;
    const waitMs = Math.ceil(retryAfterMs);
    super(details.detail ?? `The rate limit of ${stage} is used up for ${waitMs} ms`, {
      stage,
      signal,
      retryAfterMs,
    });
  }
}
