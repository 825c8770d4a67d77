import { isTableName } from '../ledger/sink-table.js';

/** Delivers into a table of the ledger's database. */
export interface PostgresSinkDefinition {
  readonly kind: 'postgres';
  /** Absent: SINK_TABLE. */
  readonly table?: string;
}

/** Delivers to a Kafka topic. */
export interface KafkaSinkDefinition {
  readonly kind: 'kafka';
  /** Absent: KAFKA_OUTPUT_TOPIC. */
  readonly topic?: string;
}

/** A sink of a definition's `sinks`. */
export type SinkDefinition = PostgresSinkDefinition | KafkaSinkDefinition;

/** What Kafka allows; `.` and `..` alone are its only other rule. */
const TOPIC_NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;

/** The record's payload as a row of `table` (default: SINK_TABLE). Throws a TypeError for what is no table name. */
export function postgresSink(options: { readonly table?: string } = {}): PostgresSinkDefinition {
  const { table } = options;
  if (table !== undefined && !isTableName(table)) {
    throw new TypeError(
      `postgresSink: table must be a plain or schema-qualified table name (got ${JSON.stringify(table)})`,
    );
  }
  return Object.freeze({ kind: 'postgres', ...(table === undefined ? {} : { table }) });
}

/** The record's key, value and headers to `topic` (default: KAFKA_OUTPUT_TOPIC). Throws a TypeError for what is no topic name. */
export function kafkaSink(options: { readonly topic?: string } = {}): KafkaSinkDefinition {
  const { topic } = options;
  if (topic !== undefined && !TOPIC_NAME.test(topic)) {
    throw new TypeError(
      `kafkaSink: topic must be a topic name of letters, digits, dots, dashes and underscores (got ${JSON.stringify(topic)})`,
    );
  }
  return Object.freeze({ kind: 'kafka', ...(topic === undefined ? {} : { topic }) });
}

/** For definitions that no compiler has seen. */
export function isSinkDefinition(value: unknown): value is SinkDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, table, topic } = value as Partial<Record<string, unknown>>;
  if (kind === 'postgres') return isAbsentOr(table, isTableName);
  return kind === 'kafka' && isAbsentOr(topic, (name) => TOPIC_NAME.test(name));
}

function isAbsentOr(value: unknown, isRight: (text: string) => boolean): boolean {
  return value === undefined || (typeof value === 'string' && isRight(value));
}
