import { Client } from 'pg';
import { SystemClock } from '#libs/flow-control';
import { EmbeddedPostgres } from '../../../src/database/embedded/embedded-postgres.js';
import { temporaryFolder } from '../../support/service.js';
import { median } from '../rounds.js';

const PROBES = 200;
/** What durability depends on. */
const SETTINGS = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
];

/** A PostgreSQL of its own for the bench, as the service would start it: nothing about its durability is changed. */
export interface BenchDatabase {
  readonly url: string;
  readonly pid: number;
  /** Its settings, and how long a commit of one row takes. */
  describe(): Promise<Readonly<Record<string, unknown>>>;
  stop(): Promise<void>;
}

export async function startDatabase(): Promise<BenchDatabase> {
  const folder = temporaryFolder();
  const server = await EmbeddedPostgres.start(folder.path, new SystemClock());
  const { url, pid } = server;
  await withClient(url, (client) =>
    client.query(`CREATE TABLE intake (record_id uuid PRIMARY KEY, key text, payload jsonb NOT NULL,
      accepted_at timestamptz NOT NULL DEFAULT now())`),
  );
  return {
    url,
    pid,
    describe: () => withClient(url, describe),
    async stop() {
      await server.stop();
      folder.remove();
    },
  };
}

async function describe(client: Client): Promise<Readonly<Record<string, unknown>>> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    'SELECT name, setting FROM pg_settings WHERE name = ANY($1)',
    [SETTINGS],
  );
  await client.query('CREATE TABLE probe (n integer)');
  const times: number[] = [];
  for (let i = 0; i < PROBES; i += 1) {
    const startMs = performance.now();
    await client.query({ name: 'probe', text: 'INSERT INTO probe VALUES ($1)', values: [i] });
    times.push(performance.now() - startMs);
  }
  await client.query('DROP TABLE probe');
  const settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  return { ...settings, commitMs: Number(median(times).toFixed(2)) };
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
