import { DatabaseError } from './database-error.js';

/** Thrown when another process holds the lock of the embedded database. Nothing was touched. Stop one of the two. */
export class FolderInUseError extends DatabaseError {
  override readonly name = 'FolderInUseError';
  readonly code = 'DB_FOLDER_IN_USE';
  readonly retryable = false;

  constructor(
    readonly folder: string,
    /** Process id of the owner; undefined when it can't be told. */
    readonly ownerPid: number | undefined,
  ) {
    const owner = ownerPid === undefined ? 'another process' : `process ${ownerPid}`;
    super(
      `The embedded database in ${folder} is in use by ${owner}. ` +
        `Stop that process, give this one another DATA_DIR, or set DATABASE_URL for both.`,
    );
  }
}
