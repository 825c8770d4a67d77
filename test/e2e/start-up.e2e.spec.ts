import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../support/free-port.mjs';
import { isOk, type Service, startService, temporaryFolder } from '../support/service.js';
import { createTestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

const MAIN = join(process.cwd(), 'dist', 'src', 'main.js');
const START_TIMEOUT_MS = 30_000;

// A start of the database alone may take longer than Jest's default on a busy machine.
jest.setTimeout(120_000);

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the build to its end, in an empty folder. */
function run(words: string[], env: Record<string, string>, cwd: string): Run {
  return spawnSync(process.execPath, [MAIN, ...words], {
    cwd,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    encoding: 'utf8',
    timeout: START_TIMEOUT_MS,
  });
}

describe('a start that can not succeed', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  it.each([
    [{ PORT: '80000' }, 'PORT must be a whole number between 0 and 65535 (got "80000").'],
    [
      { INGRESS_BUFFER_SIZE: '8x' },
      'INGRESS_BUFFER_SIZE must be a whole number of at least 1 (got "8x").',
    ],
    [{ GATEWAY_TRIGGER: '70%' }, 'GATEWAY_TRIGGER must be a ratio between 0 and 1 (got "70%").'],
    [
      { KEYGEN_REBALANCE_KEYS: 'maybe' },
      'KEYGEN_REBALANCE_KEYS must be true or false (got "maybe").',
    ],
    [{ SINKS: 'kafak' }, 'SINKS must be '],
    [{ EGRESS_URL: 'ftp://x' }, 'EGRESS_URL must be an http or https URL (got "ftp://x").'],
    [
      { DATABASE_URL: 'mysql://me:pass-word@x/y' },
      'DATABASE_URL must be a postgres:// URL (got a value not shown).',
    ],
    [
      { SHUTDOWN_ANNOUNCE_MS: '30000' },
      'SHUTDOWN_ANNOUNCE_MS must be less than SHUTDOWN_TIMEOUT_MS (got 30000 and 25000).',
    ],
    [
      { HOST: '0.0.0.0' },
      'ADMIN_TOKEN must be set when HOST is not the loopback (got HOST "0.0.0.0" and no token).',
    ],
  ])('says of %j what is wrong, and nothing else', (env, sentence) => {
    const { status, stdout, stderr } = run([], env, folder.path);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^A setting is wrong:\n {2}- [^\n]+\n$/);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain('pass-word');
  });

  it('lists all mistakes together', () => {
    const { stderr } = run([], { PORT: 'x', LOG_LEVEL: 'y', EGRESS_MAX_RETRIES: '0' }, folder.path);
    expect(stderr.match(/^ {2}- /gm)).toHaveLength(3);
  });

  it('says in one sentence that the port is in use', async () => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    const { status, stderr } = run([], { PORT: String(port) }, folder.path);
    other.close();
    expect(status).toBe(1);
    expect(stderr).toBe(
      `PORT ${port} on 127.0.0.1 is in use by another process; stop it or choose another PORT.\n`,
    );
  });

  it.each(['nowhere.js', 'pipelines/nowhere.pipeline.ts'])(
    'says in one sentence that PIPELINE_MODULE %s is no pipeline',
    (module) => {
      const env = { PORT: '0', PIPELINE_MODULE: module };
      const { status, stderr } = run([], env, folder.path);
      expect(status).toBe(1);
      expect(stderr).toMatch(
        /^PIPELINE_MODULE must name a pipeline definition \(got [^\n]+\)\.\n$/,
      );
    },
  );

  it('says which part of a definition is wrong', () => {
    writeFileSync(join(folder.path, 'wrong.mjs'), 'export default { name: "x", egress: 5 };');
    const env = { PORT: '0', PIPELINE_MODULE: 'wrong.mjs' };
    const { status, stderr } = run([], env, folder.path);
    expect(status).toBe(1);
    expect(stderr).toContain('egress must be a function');
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it.each([
    [{ PIPELINE_SCHEMA_FILE: 'absent.json' }, 'PIPELINE_SCHEMA_FILE must name a JSON Schema (got '],
    [
      { PIPELINE_KEY: 'customer' },
      'PIPELINE_KEY must be a JSON pointer such as /customer/id (got ',
    ],
  ])('says of the pipeline without code of %j what is wrong, in one sentence', (env, sentence) => {
    const { status, stderr } = run([], { PORT: '0', ...env }, folder.path);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^[^\n]+\.\n$/);
    expect(stderr.startsWith(sentence)).toBe(true);
  });

  it('says in one sentence that the database is not in UTF8', async () => {
    const database = await createTestDatabase({ encoding: 'SQL_ASCII' });
    try {
      const { status, stderr } = run([], { PORT: '0', DATABASE_URL: database.url }, folder.path);
      expect(stderr).toMatch(
        /^The database of DATABASE_URL has the encoding SQL_ASCII, [^\n]+ ENCODING 'UTF8' TEMPLATE template0\.\n$/,
      );
      expect(status).toBe(1);
      const { rows } = await database.pool.query('SELECT FROM pg_tables WHERE schemaname = $1', [
        'public',
      ]);
      expect(rows).toEqual([]);
    } finally {
      await database.drop();
    }
  });

  it('says in one sentence which column of SINK_TABLE can not take the rows', async () => {
    const database = await createTestDatabase();
    try {
      await database.pool.query('CREATE TABLE orders (record_id text PRIMARY KEY, key text)');
      const env = { PORT: '0', DATABASE_URL: database.url, SINK_TABLE: 'orders' };
      const { status, stderr } = run([], env, folder.path);
      expect(stderr).toMatch(
        /^The table orders \(SINK_TABLE\) can't take the rows of the Postgres sink: column "payload" [^\n]+\.\n$/,
      );
      expect(status).toBe(1);
    } finally {
      await database.drop();
    }
  });

  it('refuses words on the command line that it does not know', () => {
    const { status, stderr } = run(['--chekc-config'], {}, folder.path);
    expect(status).toBe(1);
    expect(stderr).toContain('--chekc-config');
    expect(stderr).not.toMatch(/^ +at /m);
  });
});

describe('the command line', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());

  it('--help, --version and --check-config answer and exit with 0', () => {
    expect(run(['--help'], {}, folder.path)).toMatchObject({ status: 0, stderr: '' });
    const { version } = JSON.parse(readFileSync(join(process.cwd(), 'package.json'), 'utf8'));
    expect(run(['--version'], {}, folder.path).stdout).toBe(`${version}\n`);
    const checked = run(['--check-config'], { ADMIN_TOKEN: 'secret-token' }, folder.path);
    expect(checked.status).toBe(0);
    expect(checked.stdout).toMatch(/^PORT +3000 +default$/m);
    expect(checked.stdout).not.toContain('secret-token');
  });

  it('--check-config reads .env, and exits with 1 when a setting is wrong', () => {
    const cwd = join(folder.path, 'with-env');
    mkdirSync(cwd);
    writeFileSync(join(cwd, '.env'), 'PORT=4000\n');
    expect(run(['--check-config'], {}, cwd).stdout).toMatch(/^PORT +4000 +\.env$/m);
    writeFileSync(join(cwd, '.env'), 'PORT=many\n');
    const wrong = run(['--check-config'], {}, cwd);
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain('PORT must be a whole number');
  });
});

describe('a start from an empty folder', () => {
  const folder = temporaryFolder();
  // One name: it takes the leases of a run that ended at once, and need not wait for their expiry.
  const env = { CWD: folder.path, INSTANCE_ID: 'replica-1' };
  let service: Service;
  let record: string;
  beforeAll(async () => {
    // Nobody listens there: what is accepted stays in the journal.
    const egress = { EGRESS_URL: `http://127.0.0.1:${await freePort()}` };
    service = await startService({ env: { ...env, ...egress, SHUTDOWN_ANNOUNCE_MS: '500' } });
  });
  afterAll(async () => {
    await service.stop();
    folder.remove();
  });

  it('says where things are', async () => {
    await until(() => service.output().includes('Penstock is ready'), { what: 'the start line' });
    expect(service.output()).toContain(`docs ${service.url}/docs`);
    expect(service.output()).not.toMatch(/"level":"(warn|error|fatal)"/);
  });

  it('keeps a second start out of its folder, with one sentence', () => {
    const { status, stderr } = run([], { PORT: '0' }, folder.path);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^The embedded database in [^\n]+ is in use by process \d+\.[^\n]+\n$/);
    expect(stderr).toContain(`process ${service.pid}`);
  });

  it('announces a stop, stays live while it drains, and exits with 0', async () => {
    const answer = await fetch(`${service.url}/v1/records`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"payload":1}',
    });
    expect(answer.status).toBe(202);
    record = answer.headers.get('location')!;
    process.kill(service.pid, 'SIGTERM');
    await until(async () => !(await isOk(`${service.url}/health/ready`)), { what: 'not ready' });
    expect(await isOk(`${service.url}/health/live`)).toBe(true);
    expect(await service.exited).toBe(0);
  });

  it('refuses another number of partitions while the journal holds a record, with one sentence', () => {
    const other = { PORT: '0', KEYGEN_NUMBER_OF_PARTITIONS: '4' };
    const { status, stderr } = run([], other, folder.path);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^KEYGEN_NUMBER_OF_PARTITIONS is 4, but the journal holds 1 records of 10 [^\n]+\n$/,
    );
  });

  it('carries on what the journal holds, and ends at once at a second signal more than a second after the first', async () => {
    service = await startService({ env: { ...env, SHUTDOWN_ANNOUNCE_MS: '20000' } });
    const end = async (): Promise<unknown> => (await fetch(`${service.url}${record}`)).json();
    await until(async () => JSON.stringify(await end()).includes('"acknowledged"'), {
      what: 'its end',
    });
    process.kill(service.pid, 'SIGTERM');
    const sentMs = performance.now();
    // Before a second has passed it is the same wish, so it is repeated until it counts.
    await until(
      () => {
        if (performance.now() - sentMs > 1100) process.kill(service.pid, 'SIGTERM');
        return service.output().includes('Second signal');
      },
      { what: 'the second signal is heard' },
    );
    expect(await service.exited).toBe(143);
  });

  it('takes over the database of the service that ended at once, and another number of partitions now', async () => {
    service = await startService({ env: { ...env, KEYGEN_NUMBER_OF_PARTITIONS: '4' } });
    expect(await isOk(`${service.url}/health/ready`)).toBe(true);
    expect(await service.stop()).toBe(0);
  });
});
