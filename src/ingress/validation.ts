import { PipelineFunctionError } from '../pipeline/pipeline-function.error.js';
import { isUnawaited } from '../pipeline/promise-like.js';
import type { ValidationIssue } from '../pipeline/record.js';
import type {
  StandardIssue,
  StandardResult,
  StandardSchemaV1,
} from '../pipeline/standard-schema.js';

/** What a schema says about a payload. */
export type Validated =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly ValidationIssue[] };

/** Issues a caller is told of one record; a hostile payload could have one per field. */
const MAX_ISSUES = 20;
const MAX_MESSAGE_LENGTH = 500;

/** Checks a payload. Throws a PipelineFunctionError when the schema throws or wants to be awaited. */
export function validate(schema: StandardSchemaV1 | undefined, payload: unknown): Validated {
  if (schema === undefined) return { value: payload };
  const result = resultOf(schema, payload);
  if (isUnawaited(result)) {
    throw new PipelineFunctionError('schema', 'returned a promise, but validation is synchronous');
  }
  try {
    return readResult(result);
  } catch (error) {
    const what = 'gave what is no result of a Standard Schema';
    throw new PipelineFunctionError('schema', what, { cause: error });
  }
}

function resultOf(schema: StandardSchemaV1, payload: unknown): unknown {
  try {
    return schema['~standard'].validate(payload);
  } catch (error) {
    throw PipelineFunctionError.threw('schema', error);
  }
}

/** Throws whatever reading it throws: a schema is foreign code, and its result may be anything. */
function readResult(result: unknown): Validated {
  const { issues } = result as StandardResult<unknown>;
  if (issues !== undefined) return { issues: issues.slice(0, MAX_ISSUES).map(asIssue) };
  if (typeof result === 'object' && result !== null && 'value' in result) {
    return { value: result.value };
  }
  throw new TypeError('A result has a value or issues.');
}

/** A JSON pointer (RFC 6901): `~` is written `~0`, `/` is written `~1`. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path
    .map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}

function asIssue({ message, path = [] }: StandardIssue): ValidationIssue {
  const keys = path.map((part) => (typeof part === 'object' ? part.key : part));
  return { path: jsonPointer(keys), message: message.slice(0, MAX_MESSAGE_LENGTH) };
}
