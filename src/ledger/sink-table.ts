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
 * Idempotent, also when two processes start at once.
 */
export async function ensureSinkTable(database: SqlRunner, name: string): Promise<void> {
  const table = quotedTable(name);
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
