/**
 * The destination answered, but not with success. Thrown by the HTTP client; sorted by its status like every other
 * failure (`failureOf`). A function of the pipeline may throw it, or anything with the same two fields.
 */
export class HttpAnswerError extends Error {
  override readonly name = 'HttpAnswerError';

  constructor(
    readonly status: number,
    /** As the answer's `Retry-After` asks. */
    readonly retryAfterMs: number | undefined,
  ) {
    super(`The destination answered ${status}.`);
  }
}
