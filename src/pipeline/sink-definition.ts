import { isTableName } from '../ledger/sink-table.js';

/** Delivers into a table of the ledger's database. */
export interface PostgresSinkDefinition {
  readonly kind: 'postgres';
  /** Absent: SINK_TABLE. */
  readonly table?: string;
}

/** A sink of a definition's `sinks`. */
export type SinkDefinition = PostgresSinkDefinition;

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

/** For definitions that no compiler has seen. */
export function isSinkDefinition(value: unknown): value is SinkDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, table } = value as Partial<Record<string, unknown>>;
  return (
    kind === 'postgres' &&
    (table === undefined || (typeof table === 'string' && isTableName(table)))
  );
}
