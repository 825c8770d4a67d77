/** The functions of a definition that decide whether a record is accepted. */
export type PipelineFunction = 'key' | 'schema' | 'preprocess';

/**
 * A function of the pipeline definition threw, or returned what it must not. The record was not accepted: answer 500
 * `pipeline-error`. Sending it again ends the same way until the definition is corrected.
 */
export class PipelineFunctionError extends Error {
  override readonly name = 'PipelineFunctionError';
  readonly code = 'PIPELINE_FUNCTION';
  readonly retryable = false;

  constructor(
    readonly step: PipelineFunction,
    what: string,
    options?: ErrorOptions,
  ) {
    super(`The pipeline's ${step} ${what}.`, options);
  }

  /** For what was thrown, if not one of these; its text stays out of the message, since it may hold the payload. */
  static threw(step: PipelineFunction, cause: unknown): PipelineFunctionError {
    try {
      if (cause instanceof PipelineFunctionError) return cause;
      const kind = cause instanceof Error ? String(cause.name) : typeof cause;
      return new PipelineFunctionError(step, `threw (${kind})`, { cause });
    } catch {
      // Anything can be thrown, also what throws when it is looked at; nobody is to look at it again.
      return new PipelineFunctionError(step, 'threw (something that can not be read)');
    }
  }
}
