import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import type { StandardIssue, StandardSchemaV1 } from '../pipeline/standard-schema.js';

/**
 * A JSON Schema (draft 2020-12) as a Standard Schema. It checks and changes nothing: no defaults, no coercion.
 * Throws an Error that says what is wrong with the schema.
 */
export function jsonSchema(schema: object): StandardSchemaV1 {
  const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });
  const check = ajv.compile(schema);
  if ('$async' in check) throw new Error('$async is not supported: validation is synchronous.');
  return {
    '~standard': {
      version: 1,
      vendor: 'json-schema',
      validate: (value) =>
        check(value) === true ? { value } : { issues: (check.errors ?? []).map(asIssue) },
    },
  };
}

function asIssue({ instancePath, message = 'is invalid', params }: ErrorObject): StandardIssue {
  // ajv points at the object that lacks the field; what the sender looks for is the field.
  const missing: unknown = params['missingProperty'];
  const path = pathOf(instancePath);
  return { message, path: typeof missing === 'string' ? [...path, missing] : path };
}

function pathOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
