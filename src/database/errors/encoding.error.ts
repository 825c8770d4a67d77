import { DatabaseError } from './database-error.js';

/** Thrown at start when the database can't hold every text. Make one with the encoding UTF8; nothing was written. */
export class EncodingError extends DatabaseError {
  override readonly name = 'EncodingError';
  readonly code = 'DB_ENCODING';
  readonly retryable = false;

  constructor(readonly encoding: string) {
    super(
      `The database of DATABASE_URL has the encoding ${encoding}, which can't hold every text: ` +
        `make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.`,
    );
  }
}
