import { SessionRequiredError } from './errors/session-required.error.js';

/** The part of a `pg` client that the check uses. */
export interface Session {
  query(statement: string | { name: string; text: string }): Promise<{ rows: { pid?: number }[] }>;
}

const BACKEND = 'SELECT pg_backend_pid() AS pid';
const NAMED = { name: 'penstock_session_check', text: BACKEND };

/** SQLSTATE "invalid_sql_statement_name": the named statement is on another session. */
const UNKNOWN_STATEMENT = '26000';

/**
 * Rejects with SessionRequiredError when `session` is not one PostgreSQL session but a turn at a proxy's pool. While
 * `other` holds a transaction open, such a proxy must give our next statement another back end: it can't pass by luck.
 */
export async function assertSession(session: Session, other: Session): Promise<void> {
  const before = await backendOf(session, NAMED);
  await other.query('BEGIN');
  try {
    await other.query(BACKEND);
    const after = await backendOf(session, NAMED);
    if (after !== before) {
      throw new SessionRequiredError(`two statements reached back ends ${before} and ${after}`);
    }
  } finally {
    await other.query('ROLLBACK');
  }
}

async function backendOf(session: Session, statement: typeof NAMED): Promise<number | undefined> {
  try {
    return (await session.query(statement)).rows[0]?.pid;
  } catch (error) {
    if ((error as { code?: string }).code !== UNKNOWN_STATEMENT) throw error;
    throw new SessionRequiredError('a named statement was not found again');
  }
}
