import { STATUS_CODES } from 'node:http';
import { HttpException } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import {
  CapacityExhaustedError,
  IntakeClosedError,
  RateLimitedError,
  type ProblemDocument,
  problemHeaders,
  problemOf,
} from '#libs/back-pressure';
import type { RandomSource } from '#libs/flow-control';
import { IdempotencyKeyReusedError } from '../ledger/errors/idempotency-key-reused.error.js';
import { JournalFullError } from '../ledger/errors/journal-full.error.js';
import { LedgerUnavailableError } from '../ledger/errors/ledger-unavailable.error.js';
import { OutcomeUnknownError } from '../ledger/errors/outcome-unknown.error.js';
import { RecordRefusedError } from '../ledger/errors/record-refused.error.js';
import { PipelineFunctionError } from '../pipeline/pipeline-function.error.js';
import {
  REQUEST_PROBLEMS,
  RequestError,
  type RequestProblem,
  type RequestProblemFacts,
} from './request-error.js';

export type Problem = ProblemDocument & Omit<RequestProblemFacts, 'allow' | 'isTokenWrong'>;

/** The journal empties as deliveries are acknowledged; nobody can say faster when. */
const JOURNAL_RETRY_MS = 2000;

/** Names of the statuses that the framework throws, where they have a problem of ours. */
const BY_STATUS: ReadonlyMap<number, RequestProblem> = new Map([
  [400, 'malformed'],
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not-found'],
  [405, 'method-not-allowed'],
  [406, 'not-acceptable'],
  [408, 'request-timeout'],
  [413, 'too-large'],
  [415, 'unsupported-media-type'],
  [422, 'invalid'],
  [431, 'headers-too-large'],
]);

/**
 * What an error is over HTTP. The errors of back-pressure have their own table (`problemOf`); here is everything else
 * that a caller can meet. An error that nobody knows is a 500 without its text: it may hold anything.
 */
export function problemFor(error: unknown, random?: RandomSource): Problem {
  if (error instanceof RequestError) return requestProblem(error);
  if (error instanceof JournalFullError) return refusal(journalFull(error.message), random);
  if (error instanceof LedgerUnavailableError) {
    const { reason, message: detail } = error;
    return refusal(new IntakeClosedError({ reason, detail }), random);
  }
  if (error instanceof OutcomeUnknownError) {
    const detail =
      'The database was lost while the record was written: it may have been accepted. Send it again with the same ' +
      'Idempotency-Key; had it none, only if your receiver can take it twice.';
    return refusal(new IntakeClosedError({ reason: 'outcome-unknown', detail }), random);
  }
  if (error instanceof IdempotencyKeyReusedError) {
    return requestProblem(new RequestError('idempotency-key-reused', error.message));
  }
  if (error instanceof PipelineFunctionError) {
    const title = 'The pipeline failed on the record';
    return { type: '/problems/pipeline-error', title, status: 500, detail: error.message };
  }
  if (error instanceof RecordRefusedError) {
    const title = 'The database refused the record';
    return { type: '/problems/record-refused', title, status: 500, detail: error.message };
  }
  if (error instanceof HttpException) return httpProblem(error);
  return problemOf(error, random) ?? UNKNOWN;
}

/** The refusal when the journal holds as much as it may. */
export function journalFull(detail: string): CapacityExhaustedError {
  return new CapacityExhaustedError({
    stage: 'IngressProcessing',
    signal: 'journal-backlog',
    retryAfterMs: JOURNAL_RETRY_MS,
    detail,
  });
}

export function sendProblem(
  reply: FastifyReply,
  problem: Problem,
  headers: Readonly<Record<string, string>> = {},
): void {
  // As bytes: to text the framework would add a character set, which this media type does not have.
  reply.status(problem.status).headers({ ...problemHeaders(problem), ...headers });
  reply.send(Buffer.from(JSON.stringify(problem)));
}

/** Header fields that an error asks for beside `Retry-After`. */
export function headersFor(
  error: unknown,
  problem: Problem = problemFor(error),
): Record<string, string> {
  if (error instanceof RateLimitedError) return quotaHeaders(error, problem);
  if (!(error instanceof RequestError)) return {};
  const { allow, isTokenWrong = false } = error.facts;
  if (allow !== undefined) return { allow: allow.join(', ') };
  if (error.status === 401) {
    return { 'www-authenticate': isTokenWrong ? 'Bearer error="invalid_token"' : 'Bearer' };
  }
  // The rest of the body was not read, and will not be.
  return error.status === 408 || error.status === 413 ? { connection: 'close' } : {};
}

/** The quota that is used up, as the RateLimit header fields tell it. */
function quotaHeaders(
  { quota }: RateLimitedError,
  { retryAfterMs = 0 }: Problem,
): Record<string, string> {
  if (quota === undefined) return {};
  const { name, limit, windowSeconds } = quota;
  const window = windowSeconds === undefined ? '' : `;w=${windowSeconds}`;
  return {
    'ratelimit-policy': `"${name}";q=${limit}${window}`,
    ratelimit: `"${name}";r=0;t=${Math.ceil(retryAfterMs / 1000)}`,
  };
}

const UNKNOWN: Problem = Object.freeze({
  type: '/problems/internal',
  title: 'Internal error',
  status: 500,
  detail: 'The service failed on this request; its log says why.',
});

function refusal(error: Error, random: RandomSource | undefined): Problem {
  return problemOf(error, random) ?? UNKNOWN;
}

function requestProblem({ code, message, facts }: RequestError): Problem {
  const { status, title: usual } = REQUEST_PROBLEMS[code];
  const { title = usual, errors, limitBytes, limitRecords, retryAfterMs } = facts;
  return {
    type: `/problems/${code}`,
    title,
    status,
    detail: message,
    ...(errors === undefined ? {} : { errors }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(limitRecords === undefined ? {} : { limitRecords }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function httpProblem(error: HttpException): Problem {
  const status = error.getStatus();
  const code = BY_STATUS.get(status);
  if (code !== undefined) return requestProblem(new RequestError(code, error.message));
  if (status >= 500) return { ...UNKNOWN, status };
  const title = STATUS_CODES[status] ?? 'Refused';
  const name = title.toLowerCase().replaceAll(/[^a-z]+/g, '-');
  return { type: `/problems/${name}`, title, status, detail: error.message };
}
