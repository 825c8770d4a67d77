import { DatabaseError } from './database-error.js';

/** The embedded PostgreSQL can't run here. The message says what to change; nothing was written to the data. */
export class EmbeddedDatabaseError extends DatabaseError {
  override readonly name = 'EmbeddedDatabaseError';
  readonly code = 'DB_EMBEDDED';
  readonly retryable = false;
}
