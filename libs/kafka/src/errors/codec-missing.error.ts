/** A codec's package is not installed, though it was chosen to send with or records came that need it. Install the package it names. */
export class CodecMissingError extends Error {
  override readonly name = 'CodecMissingError';
  readonly code = 'KAFKA_CODEC_MISSING';
  readonly retryable = false;

  constructor(
    readonly compression: string,
    readonly packageName: string,
    options?: ErrorOptions,
  ) {
    super(
      `Compression ${compression} needs the package ${packageName}, which is not installed: npm install ${packageName}`,
      options,
    );
  }
}
