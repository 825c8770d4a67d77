import type { Failure } from './destination/failure.js';

/** Answers about the request's moment or its credential, not about the record. */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([401, 403, 408, 425]);

/**
 * What an HTTP answer other than a success says: 429, and whatever comes with a time to wait, is busy; every other 3xx and
 * 4xx is final; the rest may succeed later, as does what has no status.
 */
export function kindOfAnswer(
  status: number | undefined,
  retryAfterMs: number | undefined,
): Failure['kind'] {
  if (status === 429 || retryAfterMs !== undefined) return 'busy';
  const isAboutRecord =
    status !== undefined && status >= 300 && status < 500 && !RETRYABLE_STATUSES.has(status);
  return isAboutRecord ? 'final' : 'retryable';
}
