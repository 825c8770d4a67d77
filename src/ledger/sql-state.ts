import { asSqlState } from '../database/sql-state.js';

/**
 * What a failed statement of the ledger means.
 *
 * - `away`: the connection went before the answer. The statement may have been committed.
 * - `again`: not committed, and the same statement may succeed (deadlock, lock timeout, resources).
 * - `refused`: not committed; a value in it breaks a rule of the database.
 * - `broken`: not committed; something must be mended first (missing table or partition, permission, timeout).
 */
export type StatementFailure = 'away' | 'again' | 'refused' | 'broken';

const SHUTDOWN_STATES: ReadonlySet<string> = new Set(['57P01', '57P02', '57P03']);

/** `table`: the relation that a class 23 error names. */
export function failureOf(error: unknown): StatementFailure {
  // A value that can't even be encoded (an id that is no UUID): nothing was sent.
  if (error instanceof RangeError || error instanceof TypeError) return 'refused';
  const { sqlState, table } = detailsOf(error);
  if (sqlState === undefined) return 'away';
  const sqlClass = sqlState.slice(0, 2);
  if (sqlClass === '08' || SHUTDOWN_STATES.has(sqlState)) return 'away';
  if (sqlClass === '40' || sqlClass === '53' || sqlClass === '55') return 'again';
  // A missing partition of `acknowledgment` is class 23 too; it says nothing about the record.
  if (sqlClass === '22' || (sqlClass === '23' && table !== 'acknowledgment')) return 'refused';
  return 'broken';
}

export function sqlStateOf(error: unknown): string | undefined {
  return detailsOf(error).sqlState;
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function detailsOf(error: unknown): { sqlState?: string; table?: string } {
  if (typeof error !== 'object' || error === null) return {};
  const { code, table } = error as { code?: unknown; table?: unknown };
  const sqlState = asSqlState(code);
  if (sqlState === undefined) return {};
  return { sqlState, ...(typeof table === 'string' && { table }) };
}
