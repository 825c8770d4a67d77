import { Client, Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { createDataSource, type DataSourceSettings } from '../../src/database/data-source.js';
import { migrate } from '../../src/database/migrate.js';

/** Serialises the making of the template over Jest's workers. */
const TEMPLATE_LOCK = 7_420_001;

const TEST_POOL_SIZE = 5;

export interface TestDatabase {
  readonly url: string;
  /** A plain pool on the database, for the test's own statements. */
  readonly pool: Pool;
  /** The application's data source, connected at the first call. */
  dataSource(entities?: DataSourceSettings['entities']): Promise<DataSource>;
  /** Closes both and drops the database, also under open connections. */
  drop(): Promise<void>;
}

let made = 0;

/** Makes a database of its own for a test file: a copy of the migrated template, or an empty one, if need be in another encoding. */
export async function createTestDatabase(
  options: { migrated?: boolean; encoding?: string } = {},
): Promise<TestDatabase> {
  made += 1;
  const name = `penstock_${runId()}_${process.pid}_${made}`;
  await withServer(async (server) => {
    const { encoding, migrated = encoding === undefined } = options;
    const template = migrated ? await migratedTemplate(server) : 'template1';
    await server.query(
      encoding === undefined
        ? `CREATE DATABASE ${name} TEMPLATE ${template}`
        : `CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
  });
  const url = urlOf(name);
  const pool = new Pool({ connectionString: url, max: TEST_POOL_SIZE });
  // drop() ends sessions by force; an idle client's loss is no failure of the test.
  pool.on('error', () => undefined);
  let source: DataSource | undefined;
  return {
    url,
    pool,
    async dataSource(entities) {
      source ??= await testDataSource(url, entities).initialize();
      return source;
    },
    async drop() {
      if (source?.isInitialized) await source.destroy();
      await pool.end();
      await withServer((server) => server.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

function testDataSource(url: string, entities?: DataSourceSettings['entities']): DataSource {
  return createDataSource({
    url,
    ssl: false,
    poolSize: TEST_POOL_SIZE,
    applicationName: 'penstock test',
    ...(entities && { entities }),
  });
}

async function migratedTemplate(server: Client): Promise<string> {
  const name = `penstock_template_${runId()}`;
  await server.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  const { rowCount } = await server.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0) {
    const unfinished = `${name}_new`;
    await server.query(`DROP DATABASE IF EXISTS ${unfinished}`);
    await server.query(`CREATE DATABASE ${unfinished}`);
    const source = await testDataSource(urlOf(unfinished)).initialize();
    await migrate(source, Date.now());
    await source.destroy();
    await server.query(`ALTER DATABASE ${unfinished} RENAME TO ${name}`);
  }
  await server.query('SELECT pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
  return name;
}

async function withServer<T>(work: (server: Client) => Promise<T>): Promise<T> {
  const server = new Client({ connectionString: serverUrl() });
  await server.connect();
  try {
    return await work(server);
  } finally {
    await server.end();
  }
}

function urlOf(database: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${database}`;
  return url.href;
}

function serverUrl(): string {
  const url = process.env.DATABASE_URL;
  if (!url) throw new Error('DATABASE_URL is not set: the global set-up of Jest has not run.');
  return url;
}

function runId(): string {
  return process.env.TEST_RUN_ID ?? 'local';
}
