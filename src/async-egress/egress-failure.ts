import type { Failure } from '../pipeline/failure.js';
import { UnsafeNumberError } from '../pipeline/unsafe-number.error.js';

/** The destination answered, but not with success. Thrown by the HTTP call; sorted like every other failure. */
export class HttpAnswerError extends Error {
  override readonly name = 'HttpAnswerError';

  constructor(
    readonly status: number,
    readonly retryAfterMs: number | undefined,
  ) {
    super(`The destination answered ${status}.`);
  }
}

/** The call can't succeed however often it is made. Thrown for a result that can't be carried on. */
export class UnusableResultError extends Error {
  override readonly name = 'UnusableResultError';
}

/** Nobody answered: refused, unreachable, unknown, cut off. */
const OUTAGE_CODES: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]);

const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([401, 403, 408, 425]);

/** `fetch` wraps what went wrong once or twice. */
const MAX_CAUSES = 3;

/**
 * Sorts what a call threw. An error's numeric `status` and `retryAfterMs` count as the destination's answer. Never throws:
 * a function of the pipeline can throw anything, also what throws when it is looked at.
 */
export function failureOf(error: unknown): Failure {
  try {
    return sorted(error);
  } catch {
    return { kind: 'retryable', message: 'threw something that can not be read' };
  }
}

function sorted(error: unknown): Failure {
  const message = describe(error);
  if (error instanceof UnusableResultError) return { kind: 'final', message };
  if (error instanceof UnsafeNumberError)
    return { kind: 'final', message, reason: 'unsafe-number' };
  if (isOutage(error)) return { kind: 'outage', message };
  const status = numberOf(error, 'status') ?? numberOf(error, 'statusCode');
  const retryAfterMs = numberOf(error, 'retryAfterMs');
  const answer = {
    message,
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  return { kind: kindOf(status, retryAfterMs), ...answer };
}

/** For a call that was not answered in time. */
export function timeoutFailure(timeoutMs: number): Failure {
  return { kind: 'retryable', message: `No answer within ${timeoutMs} ms.`, isTimeout: true };
}

function kindOf(status: number | undefined, retryAfterMs: number | undefined): Failure['kind'] {
  if (status === 429 || retryAfterMs !== undefined) return 'busy';
  if (status === undefined || status >= 500 || RETRYABLE_STATUSES.has(status)) return 'retryable';
  return status >= 300 ? 'final' : 'retryable';
}

function isOutage(error: unknown): boolean {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth += 1) {
    if ('code' in cause && OUTAGE_CODES.has(cause.code)) return true;
    cause = cause.cause;
  }
  return false;
}

function numberOf(error: unknown, field: string): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const value = (error as Record<string, unknown>)[field];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `threw a ${typeof error}`;
}
