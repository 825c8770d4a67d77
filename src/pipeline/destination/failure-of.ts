import { asSqlState } from '../../database/sql-state.js';
import { kindOfAnswer } from '../answer-kind.js';
import type { Failure } from './failure.js';
import { UnsafeNumberError } from '../unsafe-number.error.js';
import { UnusableResultError } from './unusable-result.error.js';

/** Nobody answered: refused, unreachable, unknown, cut off. */
const OUTAGE_CODES: ReadonlySet<unknown> = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]);

/** A client's own timeouts, shorter than the stage's. */
const TIMEOUT_CODES: ReadonlySet<unknown> = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** SQLSTATE classes: connection, resources, operator; transactions that met; values and constraints. */
const OUTAGE_CLASSES: ReadonlySet<string> = new Set(['08', '53', '57']);
const CONFLICT_CLASS = '40';
const FINAL_CLASSES: ReadonlySet<string> = new Set(['22', '23']);

/** `fetch` wraps what went wrong once or twice. */
const MAX_CAUSES = 3;

/**
 * Sorts what a call threw. An error's numeric `status` and `retryAfterMs` count as the destination's answer, a `code` of
 * five characters as a SQLSTATE. Never throws: a function of the pipeline can throw anything, also what throws when it is
 * looked at.
 */
export function failureOf(error: unknown): Failure {
  try {
    return sorted(error);
  } catch {
    return { kind: 'retryable', message: 'threw something that can not be read' };
  }
}

/** For a call that was not answered in time. */
export function timeoutFailure(timeoutMs: number): Failure {
  return { kind: 'retryable', message: `No answer within ${timeoutMs} ms.`, isTimeout: true };
}

function sorted(error: unknown): Failure {
  const message = describe(error);
  if (error instanceof UnusableResultError) return { kind: 'final', message };
  if (error instanceof UnsafeNumberError)
    return { kind: 'final', message, reason: 'unsafe-number' };
  const codes = codesOf(error);
  if (codes.some((code) => OUTAGE_CODES.has(code))) return { kind: 'outage', message };
  const sqlState = codes.map(asSqlState).find((code) => code !== undefined);
  if (sqlState !== undefined) return { message, ...bySqlState(sqlState) };
  const isTimeout = codes.some((code) => TIMEOUT_CODES.has(code)) || isTimeoutError(error);
  if (isTimeout) return { kind: 'retryable', message, isTimeout };
  const status = numberOf(error, 'status') ?? numberOf(error, 'statusCode');
  const retryAfterMs = numberOf(error, 'retryAfterMs');
  const answer = {
    message,
    ...(status === undefined ? {} : { status }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  return { kind: kindOfAnswer(status, retryAfterMs), ...answer };
}

function bySqlState(sqlState: string): Pick<Failure, 'kind' | 'isConflict'> {
  const sqlClass = sqlState.slice(0, 2);
  if (OUTAGE_CLASSES.has(sqlClass)) return { kind: 'outage' };
  if (FINAL_CLASSES.has(sqlClass)) return { kind: 'final' };
  return sqlClass === CONFLICT_CLASS
    ? { kind: 'retryable', isConflict: true }
    : { kind: 'retryable' };
}

/** Of the error and what it wraps, the outermost first. */
function codesOf(error: unknown): unknown[] {
  const codes: unknown[] = [];
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && isObject(cause); depth += 1) {
    codes.push(cause['code']);
    cause = cause['cause'];
  }
  return codes;
}

/** What `AbortSignal.timeout` rejects with. */
function isTimeoutError(error: unknown): boolean {
  return isObject(error) && error['name'] === 'TimeoutError';
}

/** Not `instanceof Error`: what comes from another realm, or only looks like an error, counts as well. */
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function numberOf(error: unknown, field: string): number | undefined {
  const value = isObject(error) ? error[field] : undefined;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `threw a ${typeof error}`;
}
