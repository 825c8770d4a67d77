import { HttpException } from '@nestjs/common';
import type { LimitMistake } from '../config/stage-limits.js';
import { isPassing } from '../database/failure-kind.js';

/** A database that is away is mostly back within a failover. */
const DATABASE_RETRY_MS = 5000;

interface AdminProblemFacts {
  readonly errors?: readonly LimitMistake[];
  readonly retryAfterMs?: number;
}

/** An error of the admin API as its whole problem document. */
export function adminProblem(
  status: number,
  name: string,
  title: string,
  detail: string,
  facts: AdminProblemFacts = {},
): HttpException {
  return new HttpException({ type: `/problems/${name}`, title, status, detail, ...facts }, status);
}

export function unknownName(what: string, name: string, known: readonly string[]): HttpException {
  const detail = `There is no ${what} "${name}"; there is ${known.join(', ') || 'none'}.`;
  return adminProblem(404, 'not-found', 'Not found', detail);
}

export function invalidInput(errors: readonly LimitMistake[]): HttpException {
  const [first] = errors;
  const place = first === undefined || first.path === '' ? '' : `${first.path} `;
  const detail = `${place}${first?.message ?? 'The request is invalid'}`.replace(/\.?$/, '.');
  return adminProblem(422, 'invalid', 'The request is invalid', detail, { errors });
}

/** Runs what needs the database; that it is away becomes a 503. A statement that it refuses is a fault of ours. */
export async function withDatabase<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HttpException || !isPassing(error)) throw error;
    const detail =
      'The database does not answer: nothing was read, and a change may have been made or not. Ask again.';
    const facts = { retryAfterMs: DATABASE_RETRY_MS };
    throw adminProblem(503, 'database-away', 'The database is away', detail, facts);
  }
}
