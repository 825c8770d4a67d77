/** The call can't succeed however often it is made: its result can't be carried on. The record is a dead letter at once. */
export class UnusableResultError extends Error {
  override readonly name = 'UnusableResultError';
}
