import { DatabaseError } from './database-error.js';

/** Thrown when there is no connection, or it broke before the answer: then the statement may have run. */
export class DatabaseAwayError extends DatabaseError {
  override readonly name = 'DatabaseAwayError';
  readonly code = 'DB_AWAY';
  readonly retryable = true;
}
