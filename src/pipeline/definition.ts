import type { StandardSchemaV1 } from './standard-schema.js';

/** Result of `preprocess` for a record that shall go no further. Made by `discard(reason)` only. */
export class Discarded {
  constructor(readonly reason: string) {}
}

/** What `preprocess` is given beside the payload. */
export interface PreprocessContext {
  /** `return discard('test order')` ends the record: it counts as terminal, with this reason. */
  readonly discard: (reason: string) => Discarded;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** What `egress` is given beside the payload. */
export interface EgressContext {
  /** Aborted at the timeout and at shutdown. A call that ignores it is abandoned, not awaited. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly recordId: string;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

type Awaitable<T> = T | Promise<T>;

/** What a user writes: what the five stages do with a record. See docs/pipelines.md. */
export interface PipelineDefinition<Payload = unknown, Processed = Payload> {
  /** Names the pipeline in status and logs. */
  readonly name: string;
  /** Any Standard Schema that validates synchronously. Without it every JSON value is valid. */
  readonly schema?: StandardSchemaV1<unknown, Payload>;
  /** The key by which order is kept; without it the sender's key. Runs before validation: see docs/pipelines.md. */
  readonly key?: (payload: Payload) => string | number | undefined | null;
  /** Synchronous. Returns the payload to carry on (the same object: the body stays as it came), or `discard(reason)`. */
  readonly preprocess?: (payload: Payload, context: PreprocessContext) => Processed | Discarded;
  /** External I/O; what it returns replaces the payload (undefined: keeps it). */
  readonly egress?: (payload: Processed, context: EgressContext) => Awaitable<unknown>;
}

/** Types a definition; checks it at load. Throws a TypeError that names the field, the rule and the value. */
export function definePipeline<Payload, Processed = Payload>(
  definition: PipelineDefinition<Payload, Processed>,
): PipelineDefinition<Payload, Processed> {
  const fail = (field: string, rule: string, value: unknown): never => {
    throw new TypeError(`definePipeline: ${field} must be ${rule} (got ${typeof value})`);
  };
  if (typeof definition.name !== 'string' || definition.name === '') {
    fail('name', 'a non-empty string', definition.name);
  }
  for (const field of ['key', 'preprocess', 'egress'] as const) {
    const value = definition[field];
    if (value !== undefined && typeof value !== 'function') fail(field, 'a function', value);
  }
  const { schema } = definition;
  if (schema !== undefined && typeof schema['~standard']?.validate !== 'function') {
    fail('schema', 'a Standard Schema', schema);
  }
  return Object.freeze({ ...definition });
}
