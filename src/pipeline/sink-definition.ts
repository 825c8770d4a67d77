import { isTableName } from '../ledger/sink-table.js';
import { TOPIC_NAME } from './topic-name.js';
import { areWebhookSecrets } from './webhook-secret.js';

/** What every sink of a definition may say. `Payload` is what `map` is given. */
interface AnySinkDefinition<Payload> {
  /** As the books, metrics and answers name it. Absent: its kind, or `kind:target` where there are several of the kind. */
  readonly name?: string;
  /**
   * What this sink is given in place of the payload. Synchronous, and run again when a delivery is repeated; the same
   * object as result leaves the bytes as they are. A throw, a promise or what is no JSON ends the record at this sink,
   * reason `pipeline`.
   */
  readonly map?: (payload: Payload) => unknown;
  /** Default true. A sink that is not required never holds back or ends a record: it gets what it can keep up with. */
  readonly required?: boolean;
}

/** Delivers into a table of the ledger's database. Always required: the transaction of the books writes it. */
export interface PostgresSinkDefinition<Payload = never> extends AnySinkDefinition<Payload> {
  readonly kind: 'postgres';
  readonly required?: true;
  /** Absent: SINK_TABLE. */
  readonly table?: string;
}

/** Delivers to a Kafka topic. */
export interface KafkaSinkDefinition<Payload = never> extends AnySinkDefinition<Payload> {
  readonly kind: 'kafka';
  /** Absent: KAFKA_OUTPUT_TOPIC. */
  readonly topic?: string;
}

/** Delivers by signed POSTs, one a record. */
export interface CallbackSinkDefinition<Payload = never> extends AnySinkDefinition<Payload> {
  readonly kind: 'callback';
  /** Absent: CALLBACK_URL. */
  readonly url?: string;
  /** One secret (`whsec_…`) or two, separated by a comma. Absent: CALLBACK_SECRET. */
  readonly secret?: string;
}

/** A sink of a definition's `sinks`. */
export type SinkDefinition<Payload = never> =
  PostgresSinkDefinition<Payload> | KafkaSinkDefinition<Payload> | CallbackSinkDefinition<Payload>;

type OptionsOf<Sink> = Omit<Sink, 'kind'>;

const HTTP_URL = /^https?:\/\/[^\s/@]+(\/\S*)?$/;
/** `egress` is the external call's in the books. */
const SINK_NAME = /^(?!egress$)[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$/;

/** A field's rule, and how a message says it. */
interface FieldRule {
  readonly rule: string;
  readonly isRight: (value: never) => boolean;
  /** Its value is in no message. */
  readonly isSecret?: true;
}

const text = (rule: string, isRight: (value: string) => boolean): FieldRule => ({
  rule,
  isRight: (value: unknown) => typeof value === 'string' && isRight(value),
});

const COMMON: Readonly<Record<string, FieldRule>> = {
  name: text('at most 100 letters, digits and . _ : / -, not egress', (value) =>
    SINK_NAME.test(value),
  ),
  map: { rule: 'a function', isRight: (value: unknown) => typeof value === 'function' },
  required: { rule: 'true or false', isRight: (value: unknown) => typeof value === 'boolean' },
};

const FIELDS: Readonly<Record<SinkDefinition['kind'], Readonly<Record<string, FieldRule>>>> = {
  postgres: {
    ...COMMON,
    required: { rule: 'true, or absent', isRight: (value: unknown) => value === true },
    table: text('a plain or schema-qualified table name', isTableName),
  },
  kafka: {
    ...COMMON,
    topic: text('a topic name of letters, digits, dots, dashes and underscores', (value) =>
      TOPIC_NAME.test(value),
    ),
  },
  callback: {
    ...COMMON,
    url: text('an http or https URL without a user', (value) => HTTP_URL.test(value)),
    secret: {
      ...text('one or two secrets of the form whsec_… (base64)', areWebhookSecrets),
      isSecret: true,
    },
  },
};

/** The record's payload as a row of `table` (default: SINK_TABLE). Throws a TypeError for an option that breaks its rule. */
export function postgresSink<Payload = unknown>(
  options: OptionsOf<PostgresSinkDefinition<Payload>> = {},
): PostgresSinkDefinition<Payload> {
  return made<PostgresSinkDefinition<Payload>>('postgres', options);
}

/** The record's key, value and headers to `topic` (default: KAFKA_OUTPUT_TOPIC). Throws as postgresSink does. */
export function kafkaSink<Payload = unknown>(
  options: OptionsOf<KafkaSinkDefinition<Payload>> = {},
): KafkaSinkDefinition<Payload> {
  return made<KafkaSinkDefinition<Payload>>('kafka', options);
}

/** The record's payload as a signed POST to `url` (default: CALLBACK_URL). Throws as postgresSink does. */
export function callbackSink<Payload = unknown>(
  options: OptionsOf<CallbackSinkDefinition<Payload>> = {},
): CallbackSinkDefinition<Payload> {
  return made<CallbackSinkDefinition<Payload>>('callback', options);
}

/** For definitions that no compiler has seen. */
export function isSinkDefinition(value: unknown): value is SinkDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, ...options } = value as Record<string, unknown>;
  return typeof kind === 'string' && Object.hasOwn(FIELDS, kind)
    ? brokenRule(kind as SinkDefinition['kind'], options) === undefined
    : false;
}

function made<Sink extends { readonly kind: SinkDefinition['kind'] }>(
  kind: Sink['kind'],
  options: OptionsOf<Sink>,
): Sink {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const broken = brokenRule(kind, Object.fromEntries(given));
  if (broken !== undefined) throw new TypeError(`${kind}Sink: ${broken}`);
  return Object.freeze({ kind, ...Object.fromEntries(given) }) as unknown as Sink;
}

function brokenRule(
  kind: SinkDefinition['kind'],
  options: Readonly<Record<string, unknown>>,
): string | undefined {
  const fields = FIELDS[kind];
  for (const [name, value] of Object.entries(options)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined)
      return `${name} is none of its options (${Object.keys(fields).join(', ')})`;
    if (value === undefined || field.isRight(value as never)) continue;
    const shown = field.isSecret ? 'a value not shown' : (JSON.stringify(value) ?? typeof value);
    return `${name} must be ${field.rule} (got ${shown})`;
  }
  return undefined;
}
