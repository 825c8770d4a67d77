import type { HttpClient } from './destination/http-client.js';
import { isSinkDefinition, type SinkDefinition } from './sink-definition.js';
import { isSourceDefinition, type SourceDefinition } from './source-definition.js';
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
  /** For calls over HTTP: kept connections, ended by `signal`, and answers that sort themselves. */
  readonly http: HttpClient;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly recordId: string;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

const FORMATS = ['json', 'bytes'] as const;
export type PayloadFormat = (typeof FORMATS)[number];

export type Awaitable<T> = T | Promise<T>;

/** Limits of `egress` that belong to the call itself; each wins over its setting. */
export interface EgressLimits {
  /** How long a call may take, in ms. Absent: EGRESS_OPERATION_TIMEOUT_MS. */
  readonly timeoutMs?: number;
  /** Calls that may run at a time. Absent: EGRESS_MAX_CONCURRENT_OPERATIONS. */
  readonly capacity?: number;
}

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
  readonly egressLimits?: EgressLimits;
  /**
   * Where records come from, such as `[kafka('orders'), rest()]`. KAFKA_INPUT_TOPICS wins over the topics. Absent: REST,
   * and the topics of KAFKA_INPUT_TOPICS.
   */
  readonly sources?: readonly SourceDefinition[];
  /** Where records are delivered, each to all of them. SINKS wins over it; neither: `postgres`. */
  readonly sinks?: readonly SinkDefinition[];
}

/** Each takes its share of every record's time; a fan-out wider than this is a topic with consumers. */
const MAX_SINKS = 16;

/** The fields of a definition; anything else is a misspelling. */
const FIELDS = [
  'name',
  'schema',
  'key',
  'preprocess',
  'format',
  'egress',
  'egressLimits',
  'sources',
  'sinks',
] as const;

/** What the stages need to know of a definition: the payload's type is the definition's own matter. */
export interface AnyPipelineDefinition {
  readonly name: string;
  readonly schema?: StandardSchemaV1;
  readonly key?: (payload: never) => string | number | undefined | null;
  readonly preprocess?: (payload: never, context: PreprocessContext) => unknown;
  readonly format?: PayloadFormat;
  readonly egress?: (payload: never, context: EgressContext) => unknown;
  readonly egressLimits?: EgressLimits;
  readonly sources?: readonly SourceDefinition[];
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
  const fail: Fail = (field, rule, value) => {
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
  const { schema, sources, sinks, format } = definition;
  if (format !== undefined && !FORMATS.includes(format)) {
    fail('format', `one of ${FORMATS.join(', ')}`, format);
  }
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    fail('schema', 'a Standard Schema', schema);
  }
  checkLimits(definition, fail);
  if (sources !== undefined) checkSources(sources, fail);
  if (sinks !== undefined) checkSinks(sinks, fail);
  return Object.freeze({ ...definition });
}

type Fail = (field: string, rule: string, value: unknown) => never;

function checkLimits({ egress, egressLimits }: AnyPipelineDefinition, fail: Fail): void {
  if (egressLimits === undefined) return;
  if (typeof egressLimits !== 'object' || egressLimits === null) {
    fail('egressLimits', 'an object', egressLimits);
  }
  if (egress === undefined) fail('egressLimits', 'given together with egress', egressLimits);
  const known = ['timeoutMs', 'capacity'];
  for (const [name, value] of Object.entries(egressLimits)) {
    const field = `egressLimits.${name}`;
    if (!known.includes(name)) fail(field, `one of ${known.join(', ')}`, value);
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      fail(field, 'a whole number of at least 1', value);
    }
  }
}

function checkSources(sources: readonly unknown[], fail: Fail): void {
  if (!Array.isArray(sources) || sources.length === 0) {
    fail('sources', 'a list of at least one source', Array.isArray(sources) ? 0 : sources);
  }
  const kinds = new Set<string>();
  for (const [i, source] of sources.entries()) {
    if (!isSourceDefinition(source)) {
      return fail(`sources[${i}]`, "a source, such as kafka('orders') or rest()", source);
    }
    if (kinds.has(source.kind)) fail(`sources[${i}]`, `the only ${source.kind} source`, source);
    kinds.add(source.kind);
  }
}

function checkSinks(sinks: readonly unknown[], fail: Fail): void {
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
