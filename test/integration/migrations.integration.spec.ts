import { DataSource, MigrationExecutor } from 'typeorm';
import { uuidLowerBound } from '../../src/database/acknowledgment-days.js';
import { createAcknowledgmentPartitions, migrate } from '../../src/database/migrate.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

const TABLES = [
  'acknowledgment',
  'acknowledgment_position',
  'acknowledgment_range',
  'dead_letter',
  'destination',
  'handover',
  'idempotency_key',
  'journal',
  'kafka_source',
  'kafka_watermark',
  'partition_lease',
  'redrive_job',
  'setting',
  'total',
];
const DAY_MS = 86_400_000;
const NOON_MS = Date.UTC(2026, 5, 15, 12);

let database: TestDatabase;
let source: DataSource;

const names = async (kinds: string): Promise<string[]> => {
  const { rows } = await database.pool.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind = ANY($1::"char"[]) AND NOT c.relispartition ORDER BY 1`,
    [kinds.split('')],
  );
  return rows.map((row) => row.name);
};

const undo = async (count: number): Promise<void> => {
  const executor = new MigrationExecutor(source);
  for (let index = 0; index < count; index += 1) await executor.undoLastMigration();
};

beforeEach(async () => {
  database = await createTestDatabase({ migrated: false });
  source = await database.dataSource();
});
afterEach(() => database.drop());

describe('migrate', () => {
  it('makes every table; each migration can be taken back and made once more', async () => {
    const ran = await migrate(source, NOON_MS);
    expect(await names('rp')).toEqual([...TABLES, 'migration'].toSorted());
    await undo(ran.length);
    expect(await names('rp')).toEqual(['migration']);
    expect(await names('S')).toEqual(['migration_id_seq']);
    expect(await migrate(source, NOON_MS)).toEqual(ran);
    expect(await names('rp')).toEqual([...TABLES, 'migration'].toSorted());
  });

  it('does nothing when the schema is up to date', async () => {
    await migrate(source, NOON_MS);
    expect(await migrate(source, NOON_MS)).toEqual([]);
  });

  it('lets two processes that start at once wait for each other', async () => {
    const other = await new DataSource(source.options).initialize();
    try {
      const both = await Promise.all([migrate(source, NOON_MS), migrate(other, NOON_MS)]);
      expect(both.map((ran) => ran.length).toSorted((a, b) => a - b)).toEqual([
        0,
        source.migrations.length,
      ]);
    } finally {
      await other.destroy();
    }
  });

  it('leaves nothing behind when one migration fails', async () => {
    await database.pool.query('CREATE TABLE setting (name text)');
    await expect(migrate(source, NOON_MS)).rejects.toThrow('already exists');
    expect(await names('rp')).toEqual(['setting']);
  });
});

describe('the schema', () => {
  beforeEach(() => migrate(source, NOON_MS));

  it('gives the journal the storage parameters that keep it small', async () => {
    const { rows } = await database.pool.query<{ main: string[]; toast: string[] }>(
      `SELECT c.reloptions AS main, t.reloptions AS toast
       FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid WHERE c.relname = 'journal'`,
    );
    expect(rows[0]?.main).toEqual([
      'autovacuum_vacuum_scale_factor=0',
      'autovacuum_vacuum_threshold=50000',
      'autovacuum_vacuum_cost_delay=0',
      'autovacuum_vacuum_insert_threshold=-1',
      'vacuum_truncate=off',
      'toast_tuple_target=8160',
    ]);
    expect(rows[0]?.toast).toEqual([
      'autovacuum_vacuum_scale_factor=0',
      'autovacuum_vacuum_threshold=50000',
      'autovacuum_vacuum_cost_delay=0',
      'vacuum_truncate=off',
    ]);
  });

  it('numbers the journal without a cache, so that order holds over connections (trap 3)', async () => {
    const { rows } = await database.pool.query(
      `SELECT seqcache FROM pg_sequence WHERE seqrelid = 'journal_seq_seq'::regclass`,
    );
    expect(rows).toEqual([{ seqcache: '1' }]);
  });

  it('makes the token of a lease a key column: a take waits for flushes, a renewal does not (L4)', async () => {
    await database.pool.query(
      `INSERT INTO partition_lease VALUES (1, nextval('lease_token'), 'a', now())`,
    );
    const flush = await database.pool.connect();
    const taker = await database.pool.connect();
    try {
      await flush.query('BEGIN');
      await flush.query('SELECT 1 FROM partition_lease WHERE partition = 1 FOR KEY SHARE');
      await taker.query('SET lock_timeout = 50');
      await taker.query('UPDATE partition_lease SET expires_at = now() WHERE partition = 1');
      await expect(
        taker.query(
          `UPDATE partition_lease SET token = nextval('lease_token') WHERE partition = 1`,
        ),
      ).rejects.toMatchObject({ code: '55P03' });
    } finally {
      await flush.query('ROLLBACK');
      await taker.query('RESET lock_timeout');
      flush.release();
      taker.release();
    }
  });

  it('keeps one dead letter a record and destination, also with a key longer than an index entry', async () => {
    const insert = `INSERT INTO dead_letter (record_id, tenant, key, payload, reason, stage, accepted_at)
      VALUES ('orders:0:7', 'default', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 5000) n),
        '\\x00', 'validation', 'IngressProcessing', now()) ON CONFLICT DO NOTHING`;
    expect((await database.pool.query(insert)).rowCount).toBe(1);
    expect((await database.pool.query(insert)).rowCount).toBe(0);
  });

  it('keeps one acknowledgment a record and destination', async () => {
    await acknowledge(NOON_MS);
    await expect(acknowledge(NOON_MS)).rejects.toMatchObject({ code: '23505' });
  });
});

const acknowledge = (atMs: number): Promise<unknown> =>
  database.pool.query(
    `INSERT INTO acknowledgment (record_id, tenant, accepted_at, destination, outcome, attempts)
     VALUES ($1, 'default', now(), 0, 0, 1)`,
    [uuidLowerBound(atMs)],
  );

describe('createAcknowledgmentPartitions', () => {
  const midnightMs = NOON_MS - DAY_MS / 2;
  beforeEach(() => migrate(source, NOON_MS));

  it('reaches from yesterday to a week ahead, without a default partition', async () => {
    await acknowledge(midnightMs - DAY_MS);
    await acknowledge(midnightMs + 8 * DAY_MS - 1);
    await expect(acknowledge(midnightMs - DAY_MS - 1)).rejects.toMatchObject({ code: '23514' });
    await expect(acknowledge(midnightMs + 8 * DAY_MS)).rejects.toMatchObject({ code: '23514' });
  });

  it('adds nothing the second time, and one day the next day', async () => {
    expect(await createAcknowledgmentPartitions(source, NOON_MS)).toEqual([]);
    expect(await createAcknowledgmentPartitions(source, NOON_MS + DAY_MS)).toEqual([
      'acknowledgment_20260623',
    ]);
  });

  it('does not wait for a long reader, behind whom every acknowledgment would queue', async () => {
    const reader = await database.pool.connect();
    try {
      await reader.query('BEGIN');
      await reader.query('SELECT count(*) FROM acknowledgment');
      const made = await createAcknowledgmentPartitions(source, NOON_MS + DAY_MS);
      expect(made).toHaveLength(1);
    } finally {
      await reader.query('ROLLBACK');
      reader.release();
    }
  });
});

describe('createTestDatabase', () => {
  it('hands out a migrated database, empty for every caller', async () => {
    const [first, second] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    try {
      await first.pool.query(`INSERT INTO setting VALUES ('a', '1', NULL, 'test')`);
      const { rows } = await second.pool.query('SELECT * FROM setting');
      expect(rows).toEqual([]);
      expect(await migrate(await first.dataSource(), Date.now())).toEqual([]);
    } finally {
      await first.drop();
      await second.drop();
    }
  });
});
