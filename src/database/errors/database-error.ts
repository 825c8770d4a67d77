/**
 * What this folder throws. `retryable` false: going on makes no sense, the process says why and ends.
 *
 * EmbeddedDatabaseError     the embedded PostgreSQL could not be installed, started or stopped
 * FolderInUseError          another process owns the embedded database's folder
 * SessionRequiredError      DATABASE_URL leads through a transaction-pooling proxy
 * EncodingError             the database of DATABASE_URL is not in UTF8
 * DatabaseAwayError         the control connection has no server at the moment
 */
export abstract class DatabaseError extends Error {
  abstract readonly code: string;
  abstract readonly retryable: boolean;
}
