import { SinkTableError } from './errors/sink-table.error.js';
import { asError, sqlStateOf } from './sql-state.js';

/** Plain or schema-qualified; PostgreSQL cuts a name after 63 bytes. */
const TABLE_NAME = /^[A-Za-z_][A-Za-z0-9_$]{0,62}(\.[A-Za-z_][A-Za-z0-9_$]{0,62})?$/;

/** Whether the text can be the name of the Postgres sink's table. */
export function isTableName(name: string): boolean {
  return TABLE_NAME.test(name);
}

/** The name as a quoted identifier. Throws a RangeError for anything but a plain or schema-qualified name. */
export function quotedTable(name: string): string {
  if (!isTableName(name)) {
    throw new RangeError(
      `SINK_TABLE must be a plain or schema-qualified table name (got "${name.slice(0, 130)}")`,
    );
  }
  return name
    .split('.')
    .map((part) => `"${part}"`)
    .join('.');
}

/** Runs one statement on the ledger's database. */
export interface SqlRunner {
  query(text: string): Promise<unknown>;
}

/**
 * Makes the Postgres sink's table unless it exists; one that exists is taken as it is, and needs no right to create tables.
 * Idempotent, also when two processes start at once. Rejects with a SinkTableError for a table that can't take the rows:
 * a column is missing or of another type, `record_id` is not unique, it may not be written, …
 */
export async function ensureSinkTable(database: SqlRunner, name: string): Promise<void> {
  const table = quotedTable(name);
  try {
    await makeTable(database, table);
    await tryTable(database, table);
  } catch (error) {
    if (!isOfTable(sqlStateOf(error))) throw error;
    throw new SinkTableError(name, asError(error).message, { cause: error });
  }
}

/** Classes of what is said about a table: no such schema, syntax or rights, what it can't do. */
const TABLE_CLASSES: readonly string[] = ['3F', '42', '0A'];
/** A view that takes no rows. */
const NO_TARGET = '55000';

function isOfTable(sqlState: string | undefined): boolean {
  if (sqlState === undefined) return false;
  return sqlState === NO_TARGET || TABLE_CLASSES.includes(sqlState.slice(0, 2));
}

/** Columns of the ledger's statements, each with the type of what it writes there. */
const WRITTEN = [
  ['record_id', 'text'],
  ['key', 'text'],
  ['payload', 'jsonb'],
  ['headers', 'jsonb'],
  ['partition', 'smallint'],
  ['accepted_at', 'timestamptz'],
] as const;

/** A table that is locked is not waited for: it will be written as every sink that is stuck is, later. */
const LOOK_WITHIN = '1s';

/** Plans the insert that the ledger will make, with its rights, and writes nothing; looks for columns that nobody fills. */
async function tryTable(database: SqlRunner, table: string): Promise<void> {
  const columns = WRITTEN.map(([column]) => column);
  const values = WRITTEN.map(([, type]) => `NULL::${type}`);
  await database.query(`DO $look$ DECLARE
  unfilled text;
BEGIN
  PERFORM set_config('lock_timeout', '${LOOK_WITHIN}', true);
  EXECUTE $insert$EXPLAIN INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values.join(', ')} ON CONFLICT (record_id) DO NOTHING$insert$;
  SELECT attname INTO unfilled FROM pg_attribute
  WHERE attrelid = to_regclass('${table}') AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef
    AND attidentity = '' AND attname NOT IN (${columns.map((column) => `'${column}'`).join(', ')})
  ORDER BY attnum LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'column "%" is NOT NULL without a default, and the sink has nothing for it', unfilled
      USING ERRCODE = 'invalid_table_definition';
  END IF;
EXCEPTION WHEN lock_not_available THEN
  NULL;
END $look$`);
}

async function makeTable(database: SqlRunner, table: string): Promise<void> {
  await database.query(`DO $make$ BEGIN
  IF to_regclass('${table}') IS NULL THEN
    CREATE TABLE ${table} (
      record_id    text        PRIMARY KEY,
      key          text,
      payload      jsonb       NOT NULL,
      headers      jsonb,
      partition    integer     NOT NULL,
      accepted_at  timestamptz NOT NULL,
      delivered_at timestamptz NOT NULL DEFAULT now()
    );
  END IF;
EXCEPTION WHEN duplicate_table OR unique_violation THEN
  NULL; -- another process has just made it
END $make$`);
}
