import { asSqlState } from './sql-state.js';

/** SQLSTATE classes and codes that pass by themselves: connection, rollback, resources, operator, system. */
const PASSING_CLASSES: ReadonlySet<string> = new Set(['08', '40', '53', '57', '58']);
const LOCK_NOT_AVAILABLE = '55P03';

/** Whether trying again later makes sense: the server is not there or busy. False: it answered, and will again. */
export function isPassing(error: unknown): boolean {
  const sqlState = asSqlState(codeOf(error));
  // The socket failed, not the statement.
  if (sqlState === undefined) return !(error instanceof TypeError);
  return PASSING_CLASSES.has(sqlState.slice(0, 2)) || sqlState === LOCK_NOT_AVAILABLE;
}

/** A sentence for the log; Node leaves the message empty when several addresses of a host refuse. */
export function describeError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message || (codeOf(error) ?? 'unknown error');
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
