import { isSinkDefinition, type SinkDefinition } from './sink-definition.js';
import type { StandardSchemaV1 } from './standard-schema.js';

/** Injects the definition of the running pipeline. */
export const PIPELINE_DEFINITION = Symbol('PIPELINE_DEFINITION');

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

const FORMATS = ['json', 'bytes'] as const;
export type PayloadFormat = (typeof FORMATS)[number];

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
  /**
   * How Kafka values are read: `json` (the default), or `bytes`: then the pipeline's functions are given the value as a
   * Buffer (null for a tombstone), and a Uint8Array that they return is delivered as it is.
   */
  readonly format?: PayloadFormat;
  /** External I/O; what it returns replaces the payload (undefined: keeps it). */
  readonly egress?: (payload: Processed, context: EgressContext) => Awaitable<unknown>;
  /** Where records are delivered, each to all of them. SINKS wins over it; neither: `postgres`. */
  readonly sinks?: readonly SinkDefinition[];
}

/** Each takes its share of every record's time; a fan-out wider than this is a topic with consumers. */
const MAX_SINKS = 16;

/** The fields of a definition; anything else is a misspelling. */
const FIELDS = ['name', 'schema', 'key', 'preprocess', 'format', 'egress', 'sinks'] as const;

/** What the stages need to know of a definition: the payload's type is the definition's own matter. */
export interface AnyPipelineDefinition {
  readonly name: string;
  readonly schema?: StandardSchemaV1;
  readonly key?: (payload: never) => string | number | undefined | null;
  readonly preprocess?: (payload: never, context: PreprocessContext) => unknown;
  readonly format?: PayloadFormat;
  readonly egress?: (payload: never, context: EgressContext) => unknown;
  readonly sinks?: readonly SinkDefinition[];
}

/** Types a definition; checks it at load. Throws a TypeError that names the field, the rule and the value. */
export function definePipeline<Payload, Processed = Payload>(
  definition: PipelineDefinition<Payload, Processed>,
): PipelineDefinition<Payload, Processed> {
  if (typeof definition !== 'object' || definition === null) {
    throw new TypeError(
      `definePipeline: the definition must be an object (got ${shown(definition)})`,
    );
  }
  const fail = (field: string, rule: string, value: unknown): never => {
    throw new TypeError(`definePipeline: ${field} must be ${rule} (got ${shown(value)})`);
  };
  for (const field of Object.keys(definition)) {
    const known: readonly string[] = FIELDS;
    if (!known.includes(field)) {
      throw new TypeError(
        `definePipeline: ${field} is no field of a definition (${known.join(', ')})`,
      );
    }
  }
  if (typeof definition.name !== 'string' || definition.name === '') {
    fail('name', 'a non-empty string', definition.name);
  }
  for (const field of ['key', 'preprocess', 'egress'] as const) {
    const value = definition[field];
    if (value !== undefined && typeof value !== 'function') fail(field, 'a function', value);
  }
  const { schema, sinks, format } = definition;
  if (format !== undefined && !FORMATS.includes(format)) {
    fail('format', `one of ${FORMATS.join(', ')}`, format);
  }
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    fail('schema', 'a Standard Schema', schema);
  }
  if (sinks !== undefined) checkSinks(sinks, fail);
  return Object.freeze({ ...definition });
}

function checkSinks(
  sinks: readonly unknown[],
  fail: (field: string, rule: string, value: unknown) => never,
): void {
  if (!Array.isArray(sinks) || sinks.length === 0 || sinks.length > MAX_SINKS) {
    const got = Array.isArray(sinks) ? sinks.length : sinks;
    fail('sinks', `a list of one to ${MAX_SINKS} sinks`, got);
  }
  sinks.forEach((sink, index) => {
    if (!isSinkDefinition(sink)) fail(`sinks[${index}]`, 'a sink, such as postgresSink()', sink);
  });
  const isRequired = ({ required }: SinkDefinition): boolean => required !== false;
  if (!(sinks as SinkDefinition[]).some(isRequired)) {
    fail('sinks', 'a list with a sink that is required', sinks);
  }
}

/** Never a payload or a function's text: numbers as they are, of everything else its type. */
function shown(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'number' ? String(value) : typeof value;
}
