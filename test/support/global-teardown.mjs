// Drops what the run left on a server of yours, or stops the PostgreSQL and the Kafka that the run started, by their pids.
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import pg from 'pg';

async function dropRunDatabases(url, runId) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query('SELECT datname FROM pg_database WHERE datname LIKE $1', [
      `penstock_%${runId}%`,
    ]);
    for (const { datname } of rows) await client.query(`DROP DATABASE "${datname}" WITH (FORCE)`);
  } finally {
    await client.end();
  }
}

export default async function globalTeardown() {
  await Promise.all([globalThis.penstockTestKafka?.stop(), stopPostgres()]);
}

async function stopPostgres() {
  if (process.env.TEST_DATABASE_URL) {
    await dropRunDatabases(process.env.TEST_DATABASE_URL, process.env.TEST_RUN_ID);
    return;
  }
  const { child, folder } = globalThis.penstockTestPostgres;
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGINT');
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
}
