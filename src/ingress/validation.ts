import { PipelineFunctionError } from '../pipeline/pipeline-function.error.js';
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
  let result: StandardResult<unknown> | Promise<StandardResult<unknown>>;
  try {
    result = schema['~standard'].validate(payload);
  } catch (error) {
    throw PipelineFunctionError.threw('schema', error);
  }
  if (isPromise(result)) {
    // Nobody awaits it; its rejection must not end the process.
    result.then(undefined, () => undefined);
    throw new PipelineFunctionError('schema', 'returned a promise, but validation is synchronous');
  }
  if (result.issues === undefined) return { value: result.value };
  return { issues: result.issues.slice(0, MAX_ISSUES).map(asIssue) };
}

/** Whether something would have to be awaited. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
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
