import {
  type AnyPipelineDefinition,
  Discarded,
  type PreprocessContext,
} from '../pipeline/definition.js';
import { payloadBytes } from '../pipeline/payload-bytes.js';
import { PipelineFunctionError } from '../pipeline/pipeline-function.error.js';
import { isUnawaited } from '../pipeline/promise-like.js';
import type { PipelineRecord, RecordHeaders, Verdict } from '../pipeline/record.js';
import { storable } from '../pipeline/destination/retry-policy.js';
import type { StandardSchemaV1 } from '../pipeline/standard-schema.js';
import { UnsafeNumberError } from '../pipeline/unsafe-number.error.js';
import type { IngressOptions } from './ingress.options.js';
import { validate } from './validation.js';

const ACCEPTED: Verdict = { kind: 'accepted' };
const NO_HEADERS: RecordHeaders = Object.freeze({});

/** The books keep the reason, so it is cut and cleaned as the text of an error is. */
function discard(reason: unknown): Discarded {
  if (typeof reason === 'string') return new Discarded(storable(reason));
  throw new PipelineFunctionError(
    'preprocess',
    `must give discard a text as its reason (got ${typeof reason})`,
  );
}

/**
 * Validation and preprocessing of one record: what becomes of it, its payload and the bytes that will be delivered.
 *
 * A record that came with an `invalid` verdict keeps it: its payload could not be read.
 *
 * The bytes are the sender's, or the sender's payload written again, unless `preprocess` returned another object: a
 * schema that fills in defaults shapes what the pipeline's functions see, not what is delivered.
 */
export class Processing {
  private readonly schema: StandardSchemaV1 | undefined;
  private readonly preprocess: AnyPipelineDefinition['preprocess'];

  constructor(options: IngressOptions, definition: AnyPipelineDefinition) {
    this.schema = options.enableValidation ? definition.schema : undefined;
    this.preprocess = options.enablePreprocessing ? definition.preprocess : undefined;
  }

  /** Decides about the record; writes payload and body of one that can be accepted. Never throws. */
  run(record: PipelineRecord): Verdict {
    if (record.verdict?.kind === 'invalid') return record.verdict;
    try {
      const validated = validate(this.schema, record.payload);
      if (validated.issues !== undefined) return { kind: 'invalid', issues: validated.issues };
      // KeyGen could not compute the key of a payload that is valid.
      if (record.verdict !== undefined) return record.verdict;
      return this.carryOn(record, validated.value);
    } catch (error) {
      return { kind: 'refused', error: error as PipelineFunctionError | UnsafeNumberError };
    }
  }

  private carryOn(record: PipelineRecord, value: unknown): Verdict {
    const processed = this.preprocessed(record, value);
    if (processed instanceof Discarded) return { kind: 'discarded', reason: processed.reason };
    if (processed === value) {
      if (record.body === undefined) record.body = written(record.payload);
    } else record.body = rewritten(record, processed);
    record.payload = processed;
    return ACCEPTED;
  }

  private preprocessed(record: PipelineRecord, value: unknown): unknown {
    if (this.preprocess === undefined) return value;
    const context: PreprocessContext = {
      discard,
      key: record.key,
      headers: record.headers ?? NO_HEADERS,
    };
    try {
      const processed: unknown = this.preprocess(value as never, context);
      if (!isUnawaited(processed)) return processed;
    } catch (error) {
      throw PipelineFunctionError.threw('preprocess', error);
    }
    throw new PipelineFunctionError('preprocess', 'returned a promise, but it must be synchronous');
  }
}

function rewritten({ unsafeNumber }: PipelineRecord, processed: unknown): Buffer {
  if (unsafeNumber !== undefined) throw new UnsafeNumberError(unsafeNumber);
  return written(processed);
}

function written(payload: unknown): Buffer {
  let bytes: Buffer | undefined;
  try {
    bytes = payloadBytes(payload);
  } catch (error) {
    throw new PipelineFunctionError('preprocess', 'returned what JSON cannot hold', {
      cause: error,
    });
  }
  if (bytes !== undefined) return bytes;
  const what = payload === undefined ? 'nothing' : `a ${typeof payload}`;
  throw new PipelineFunctionError('preprocess', `must return a JSON value (got ${what})`);
}
