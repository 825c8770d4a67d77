import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { jsonSchema } from '../ingress/json-schema.js';
import { type AnyPipelineDefinition, definePipeline } from './definition.js';
import type { StandardSchemaV1 } from './standard-schema.js';

/** The settings that describe a pipeline without code. */
export interface ConfiguredPipeline {
  /** PIPELINE_SCHEMA_FILE: a JSON Schema. Absent: every JSON value is valid. */
  readonly schemaFile?: string | undefined;
  /** PIPELINE_KEY: a JSON pointer to the key in the payload. Absent: the sender's key. */
  readonly key?: string | undefined;
}

/** PIPELINE_SCHEMA_FILE or PIPELINE_KEY can't be used. The message is a sentence for the operator. */
export class ConfiguredPipelineError extends Error {
  override readonly name = 'ConfiguredPipelineError';
}

/** RFC 6901: empty, or parts that begin with a slash; `~` only as `~0` and `~1`. */
const JSON_POINTER = /^(\/([^/~]|~[01])*)*$/;

/** Builds the definition that the settings describe; EGRESS_URL is the egress stage's own. */
export function configuredDefinition(
  { schemaFile, key }: ConfiguredPipeline,
  workingFolder: string,
): AnyPipelineDefinition {
  return definePipeline<unknown>({
    name: 'configured',
    ...(schemaFile === undefined ? {} : { schema: schemaOf(resolve(workingFolder, schemaFile)) }),
    ...(key === undefined ? {} : { key: keyAt(key) }),
  });
}

function schemaOf(path: string): StandardSchemaV1 {
  const wrong = (reason: unknown): ConfiguredPipelineError =>
    new ConfiguredPipelineError(
      `PIPELINE_SCHEMA_FILE must name a JSON Schema (got ${path}: ${
        reason instanceof Error ? reason.message : String(reason)
      }).`,
    );
  let schema: unknown;
  try {
    schema = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw wrong(error);
  }
  if (typeof schema !== 'object' || schema === null) throw wrong('it holds no object');
  try {
    return jsonSchema(schema);
  } catch (error) {
    throw wrong(error);
  }
}

/** Reads own fields only: a payload is data, never a prototype. Nothing at the pointer: no key. */
function keyAt(pointer: string): (payload: unknown) => string | number | undefined {
  if (!JSON_POINTER.test(pointer) || pointer === '') {
    throw new ConfiguredPipelineError(
      `PIPELINE_KEY must be a JSON pointer such as /customer/id (got ${JSON.stringify(pointer)}).`,
    );
  }
  const parts = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return (payload) => {
    let value = payload;
    for (const part of parts) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) {
        return undefined;
      }
      value = (value as Record<string, unknown>)[part];
    }
    return (value ?? undefined) as string | number | undefined;
  };
}
