/**
 * Checks deploy/ and the compose files with the real tools: Docker Compose, promtool, and a Prometheus that scrapes the
 * built service and evaluates every alert and every query of the dashboards. Needs `npm run build` before.
 *
 * Nothing is skipped: a tool that is missing ends it with a sentence that says what to install.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parse, stringify } from 'yaml';

const ROOT = path.resolve(import.meta.dirname, '..');
const PROMETHEUS = path.join(ROOT, 'deploy', 'prometheus');
const DASHBOARDS = path.join(ROOT, 'deploy', 'grafana', 'dashboards');
const DEADLINE_MS = 120_000;
const POLL_MS = 250;

class Failure extends Error {}

function requireTool(command, args, what) {
  const { error, status } = spawnSync(command, args, { stdio: 'ignore' });
  if (error === undefined && status === 0) return true;
  if (what === undefined) return false;
  throw new Failure(what);
}

function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    ...options,
  });
  if (status === 0) return stdout;
  const said = error?.message ?? `${stdout}${stderr}`;
  throw new Failure(`${command} ${args.join(' ')}:\n${said}`);
}

function report(what) {
  console.log(`ok  ${what}`);
}

function checkCompose() {
  const plugin = requireTool('docker', ['compose', 'version']);
  const command = plugin ? ['docker', 'compose'] : ['docker-compose'];
  requireTool(
    command[0],
    [...command.slice(1), 'version'],
    'Docker Compose is missing: install its plugin, or on Debian `apt-get install docker-compose`.',
  );
  for (const file of ['docker-compose.yml', 'docker-compose.kafka.yml']) {
    run(command[0], [...command.slice(1), '-f', file, 'config', '-q']);
    report(file);
  }
}

function checkRules() {
  requireTool(
    'promtool',
    ['--version'],
    'promtool is missing: on Debian `apt-get install --no-install-recommends prometheus`.',
  );
  run('promtool', ['check', 'config', 'prometheus.yml'], { cwd: PROMETHEUS });
  report('prometheus.yml and its rules');
  run('promtool', ['test', 'rules', 'alerts.test.yml'], { cwd: PROMETHEUS });
  report('the tests of the alerts');
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A process of ours; `stop` ends it and waits until it is gone. */
function start(command, args, options) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  let hasEnded = false;
  const gone = new Promise((resolve) => {
    child.once('close', resolve);
    child.once('error', resolve);
  }).then(() => {
    hasEnded = true;
  });
  return {
    output: () => output,
    hasEnded: () => hasEnded,
    async stop() {
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** Asks until the answer is there, the deadline is over, or the process that gives it has ended. */
async function until(what, check, asked) {
  const end = Date.now() + DEADLINE_MS;
  while (Date.now() < end && !asked.hasEnded()) {
    const value = await check().catch(() => undefined); // Nobody listens yet.
    if (value) return value;
    await pause(POLL_MS);
  }
  throw new Failure(`Waited in vain for ${what}.\n${asked.output()}`);
}

async function startService(folder) {
  const port = await freePort();
  const { PATH = '' } = process.env;
  const service = start(process.execPath, ['dist/src/main.js'], {
    cwd: ROOT,
    env: { PATH, PORT: String(port), DATA_DIR: path.join(folder, 'data') },
  });
  const url = `http://127.0.0.1:${port}`;
  const isReady = async () => (await fetch(`${url}/health/ready`)).ok;
  try {
    await until('the built service', isReady, service);
  } catch (error) {
    await service.stop();
    throw error;
  }
  return { ...service, url, target: `127.0.0.1:${port}` };
}

async function checkScrape({ url }) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  // Of others: Node's own metrics are named by the library.
  const complaints = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line.startsWith('pipeline_'));
  if (complaints.length > 0) throw new Failure(`promtool check metrics:\n${complaints.join('\n')}`);
  if (status !== 0 && status !== 3) throw new Failure(`promtool check metrics:\n${stderr}`);
  report(`a scrape of the service (${text.split('\n').length} lines)`);
}

async function startPrometheus(folder, target) {
  const config = parse(readFileSync(path.join(PROMETHEUS, 'prometheus.yml'), 'utf8'));
  const [job] = config.scrape_configs;
  job.static_configs = [{ targets: [target] }];
  config.global = { scrape_interval: '1s', evaluation_interval: '1s' };
  config.rule_files = [path.join(PROMETHEUS, 'alerts.yml')];
  const file = path.join(folder, 'prometheus.yml');
  writeFileSync(file, stringify(config));
  const port = await freePort();
  const prometheus = start('prometheus', [
    `--config.file=${file}`,
    `--storage.tsdb.path=${path.join(folder, 'tsdb')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  return { ...prometheus, url: `http://127.0.0.1:${port}` };
}

async function ask({ url }, api, parameters = {}) {
  const answer = await fetch(`${url}/api/v1/${api}?${new URLSearchParams(parameters)}`);
  const { status, data, error } = await answer.json();
  if (status !== 'success') throw new Failure(`${api} ${JSON.stringify(parameters)}: ${error}`);
  return data;
}

/** The rules of a Prometheus that has evaluated each at least once. */
async function checkAlerts(prometheus) {
  const rules = await until(
    'every alert to be evaluated',
    async () => {
      const { groups } = await ask(prometheus, 'rules');
      const all = groups.flatMap((group) => group.rules);
      return all.length > 0 && all.every(({ health }) => health !== 'unknown') && all;
    },
    prometheus,
  );
  const broken = rules.filter(({ health }) => health !== 'ok');
  const firing = rules.filter(({ state }) => state === 'firing');
  if (broken.length > 0) throw new Failure(JSON.stringify(broken, undefined, 2));
  if (firing.length > 0) {
    throw new Failure(`An idle service raises ${firing.map(({ name }) => name).join(', ')}.`);
  }
  report(`${rules.length} alerts, evaluated on the running service`);
}

function dashboardQueries() {
  return readdirSync(DASHBOARDS).flatMap((file) => {
    const { panels } = JSON.parse(readFileSync(path.join(DASHBOARDS, file), 'utf8'));
    return panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ title, expr })),
    );
  });
}

async function checkDashboards(prometheus) {
  const queries = dashboardQueries();
  let empty = 0;
  for (const { title, expr } of queries) {
    const query = expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');
    const { result } = await ask(prometheus, 'query', { query }).catch((error) => {
      throw new Failure(`${title}: ${error.message}`);
    });
    if (result.length === 0) empty += 1;
  }
  // Without Kafka and load some have nothing to show; most have.
  if (empty > queries.length / 2)
    throw new Failure(`${empty} of ${queries.length} queries are empty.`);
  report(`${queries.length} queries of the dashboards, ${queries.length - empty} with a result`);
}

async function checkRunning() {
  requireTool(
    'prometheus',
    ['--version'],
    'prometheus is missing: on Debian `apt-get install --no-install-recommends prometheus`.',
  );
  const folder = mkdtempSync(path.join(tmpdir(), 'penstock-deploy-'));
  // Run as root, the embedded database changes its user, who must be able to enter.
  chmodSync(folder, 0o755);
  const running = [];
  try {
    const service = await startService(folder);
    running.push(service);
    await checkScrape(service);
    const prometheus = await startPrometheus(folder, service.target);
    running.push(prometheus);
    await until(
      'two scrapes',
      async () => {
        const query = 'count_over_time(up{job="penstock"}[1m]) >= 2';
        return (await ask(prometheus, 'query', { query })).result.length > 0;
      },
      prometheus,
    );
    await checkAlerts(prometheus);
    await checkDashboards(prometheus);
  } finally {
    for (const process of running.toReversed()) await process.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  checkCompose();
  checkRules();
  await checkRunning();
} catch (error) {
  console.error(error instanceof Failure ? `failed: ${error.message}` : error);
  process.exitCode = 1;
}
