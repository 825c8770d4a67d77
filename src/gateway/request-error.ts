import type { ValidationIssue } from '../pipeline/record.js';

/** What can be wrong with a request itself: the last part of the problem's type, its status and title. */
export const REQUEST_PROBLEMS = {
  malformed: { status: 400, title: 'The request is malformed' },
  'empty-batch': { status: 400, title: 'The batch has no records' },
  unauthorized: { status: 401, title: 'A bearer token is needed' },
  forbidden: { status: 403, title: 'Forbidden' },
  'kafka-only': { status: 403, title: 'Records come from Kafka only' },
  'not-found': { status: 404, title: 'Not found' },
  expired: { status: 404, title: 'The record is no longer kept' },
  'not-offered': { status: 404, title: 'The pipeline takes no records by REST' },
  'method-not-allowed': { status: 405, title: 'The method is not allowed here' },
  'not-acceptable': { status: 406, title: 'No representation fits the Accept header' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  'idempotency-key-running': { status: 409, title: 'A request with this key is still running' },
  'too-large': { status: 413, title: 'Too large' },
  'unsupported-media-type': { status: 415, title: 'The content type is not supported' },
  'expectation-failed': { status: 417, title: 'The expectation can not be met' },
  invalid: { status: 422, title: 'The record is invalid' },
  'idempotency-key-reused': { status: 422, title: 'The key was used for another request' },
  'unsafe-number': { status: 422, title: 'A number would lose digits' },
  'deadline-passed': { status: 422, title: 'The deadline has passed' },
  'headers-too-large': { status: 431, title: 'The header fields are too large' },
  'database-away': { status: 503, title: 'The database is away' },
  'after-refused': { status: 429, title: 'An earlier record of the same key was refused' },
} as const;
export type RequestProblem = keyof typeof REQUEST_PROBLEMS;

/** Facts that a problem document carries beside its sentence. */
export interface RequestProblemFacts {
  /** In place of the one that the code has. */
  readonly title?: string;
  readonly errors?: readonly ValidationIssue[];
  readonly limitBytes?: number;
  readonly limitRecords?: number;
  readonly retryAfterMs?: number;
  /** For 401: a token was given, but it is none of ours. */
  readonly isTokenWrong?: boolean;
  /** Methods that the path has, for 405. */
  readonly allow?: readonly string[];
}

/**
 * The request can't be taken as it is. Nothing was accepted. Sending the same again ends the same way, but for
 * `after-refused` (send it again with the record before it), `request-timeout`, `database-away` (nothing could be read),
 * and `idempotency-key-running`, which is about the earlier request: that one may have been accepted by then.
 */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly retryable: boolean;

  constructor(
    readonly code: RequestProblem,
    detail: string,
    readonly facts: RequestProblemFacts = {},
  ) {
    super(detail);
    this.retryable = RETRYABLE.has(code);
  }

  get status(): number {
    return REQUEST_PROBLEMS[this.code].status;
  }
}

const RETRYABLE: ReadonlySet<RequestProblem> = new Set([
  'after-refused',
  'database-away',
  'request-timeout',
  'idempotency-key-running',
]);

/** Longer than a record may wait for its verdict. */
const KEY_RETRY_MS = 1000;

/** An earlier request with the same Idempotency-Key has no answer yet; the same again will be told what became of it. */
export function keyRunning(): RequestError {
  const detail = 'A request with this Idempotency-Key is still running.';
  return new RequestError('idempotency-key-running', detail, { retryAfterMs: KEY_RETRY_MS });
}

/** What is said about a number that would lose digits; it gives the problem its type. */
export const UNSAFE_NUMBER = 'must be a number that fits a double (send it as text instead)';

/** The record is invalid for these reasons. */
export function invalidRecord(errors: readonly ValidationIssue[]): RequestError {
  return invalidBody(errors, { whole: 'The record' });
}

/** The same of a body that is no record. */
export function invalidRequest(errors: readonly ValidationIssue[]): RequestError {
  return invalidBody(errors, { whole: 'The request', title: 'The request is invalid' });
}

function invalidBody(
  errors: readonly ValidationIssue[],
  { whole, title }: { readonly whole: string; readonly title?: string },
): RequestError {
  const isNumber = errors.some(({ message }) => message === UNSAFE_NUMBER);
  const [first] = errors;
  const place = first === undefined || first.path === '' ? whole : first.path;
  const detail = `${place}: ${first?.message ?? 'is invalid'}.`;
  if (isNumber) return new RequestError('unsafe-number', detail, { errors });
  return new RequestError('invalid', detail, { errors, ...(title !== undefined && { title }) });
}
