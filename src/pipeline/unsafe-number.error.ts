/**
 * A Kafka record can't be carried on: the pipeline writes its payload anew, and a number in it would be another one then.
 * Dead letter `unsafe-number`; sending the number as text helps.
 */
export class UnsafeNumberError extends Error {
  override readonly name = 'UnsafeNumberError';
  readonly code = 'UNSAFE_NUMBER';
  readonly retryable = false;

  constructor(readonly path: string) {
    super(
      `${path}: must be a number that fits a double, since the pipeline writes the payload anew.`,
    );
  }
}
