import { DatabaseError } from './database-error.js';

/** Thrown at start when statements of one connection reach different sessions. Change DATABASE_URL. */
export class SessionRequiredError extends DatabaseError {
  override readonly name = 'SessionRequiredError';
  readonly code = 'DB_SESSION_REQUIRED';
  readonly retryable = false;

  constructor(finding: string) {
    super(
      `DATABASE_URL leads through a proxy that pools transactions (${finding}). ` +
        `Locks and named statements need a session: connect to PostgreSQL directly, or use session pooling.`,
    );
  }
}
