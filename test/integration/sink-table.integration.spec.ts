import { Client } from 'pg';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

const WHOLE = `record_id text PRIMARY KEY, key text, payload jsonb NOT NULL, headers jsonb, partition integer NOT NULL,
  accepted_at timestamptz NOT NULL`;

describe('The table of the Postgres sink', () => {
  let db: TestDatabase;
  beforeEach(async () => {
    db = await createTestDatabase({ migrated: false });
  });
  afterEach(() => db.drop());

  const rejection = async (makes: string): Promise<unknown> => {
    await db.pool.query(makes);
    return ensureSinkTable(db.pool, 'orders').catch((error: unknown) => error);
  };

  it('is made, and found again', async () => {
    await ensureSinkTable(db.pool, 'orders');
    await ensureSinkTable(db.pool, 'orders');
    expect((await db.pool.query('SELECT * FROM orders')).rows).toEqual([]);
  });

  it('is not waited for while somebody has locked it: the service starts, and its records wait', async () => {
    await ensureSinkTable(db.pool, 'orders');
    const holder = new Client({ connectionString: db.url });
    await holder.connect();
    try {
      await holder.query('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
      await expect(ensureSinkTable(db.pool, 'orders')).resolves.toBeUndefined();
    } finally {
      await holder.end();
    }
  });

  it.each([
    [
      'has columns of its own, if they have a default or may be empty',
      `${WHOLE}, note text, n serial NOT NULL`,
    ],
    [
      'has other types that take the values',
      WHOLE.replace('headers jsonb', 'headers text').replace('integer', 'bigint'),
    ],
  ])('may be one that exists and %s', async (_, columns) => {
    expect(await rejection(`CREATE TABLE orders (${columns})`)).toBeUndefined();
    expect((await db.pool.query('SELECT * FROM orders')).rows).toEqual([]);
  });

  it.each([
    [
      'a column is missing',
      `CREATE TABLE orders (${WHOLE.replace('headers jsonb, ', '')})`,
      'column "headers"',
    ],
    [
      'a column has another type',
      `CREATE TABLE orders (${WHOLE.replace('payload jsonb', 'payload bytea')})`,
      'column "payload" is of type bytea',
    ],
    [
      'record_id is not unique',
      `CREATE TABLE orders (${WHOLE.replace(' PRIMARY KEY', '')})`,
      'no unique',
    ],
    [
      'nobody fills a column that must be filled',
      `CREATE TABLE orders (${WHOLE}, shop text NOT NULL)`,
      'column "shop" is NOT NULL without a default',
    ],
    [
      'it is a view that takes no rows',
      `CREATE TABLE base (${WHOLE}); CREATE VIEW orders AS SELECT DISTINCT * FROM base`,
      'view',
    ],
  ])('is refused in one sentence when %s', async (_, makes, finding) => {
    const error = await rejection(makes);
    expect(error).toMatchObject({ code: 'LEDGER_SINK_TABLE', retryable: false, table: 'orders' });
    const { message } = error as Error;
    expect(message).toMatch(
      /^The table orders \(SINK_TABLE\) can't take the rows of the Postgres sink: [^\n]+\.$/,
    );
    expect(message).toContain(finding);
  });

  it('is refused when it may not be written, or can not be made', async () => {
    const role = `reader_${process.pid}`;
    await db.pool.query(
      `CREATE TABLE orders (${WHOLE}); CREATE ROLE ${role}; GRANT SELECT ON orders TO ${role}`,
    );
    const reader = new Client({ connectionString: db.url });
    await reader.connect();
    try {
      await reader.query(`SET ROLE ${role}`);
      await expect(ensureSinkTable(reader, 'orders')).rejects.toThrow(
        'permission denied for table orders',
      );
      await expect(ensureSinkTable(reader, 'others')).rejects.toThrow(
        'permission denied for schema',
      );
      await expect(ensureSinkTable(reader, 'nowhere.orders')).rejects.toThrow(
        '"nowhere" does not exist',
      );
    } finally {
      await reader.end();
      await db.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});
