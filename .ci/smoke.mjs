// Starts the built service as a user would, in an empty folder, with its embedded database; posts a record, sees it
// acknowledged, stops it by SIGTERM and expects exit status 0.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const DEADLINE_MS = 60_000;
const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const folder = mkdtempSync(join(tmpdir(), 'penstock-smoke-'));
chmodSync(folder, 0o755); // The embedded Postgres runs as another user when this runs as root.
const port = await freePort();
const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
const service = spawn(process.execPath, scripts.start.split(' ').slice(2), {
  env: { ...process.env, PORT: String(port), DATA_DIR: join(folder, 'data'), DATABASE_URL: '' },
  stdio: 'inherit',
});
const exited = new Promise((resolve) =>
  service.once('exit', (code, signal) => resolve({ code, signal })),
);

const untilOk = async (what, attempt) => {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    const found = await attempt().catch(() => undefined);
    if (found) return found;
    if (service.exitCode !== null) throw new Error(`the service ended before: ${what}`);
    if (Date.now() > end) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

let failure;
try {
  const url = `http://127.0.0.1:${port}`;
  await untilOk('ready', async () => (await fetch(`${url}/health/ready`)).ok);
  const order = {
    orderId: 'smoke-1',
    customerId: 'customer-42',
    currency: 'EUR',
    placedAt: '2026-01-01T12:00:00Z',
    items: [{ sku: 'A-1', quantity: 2, unitPrice: 9.5 }],
  };
  const answer = await fetch(`${url}/v1/records`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ payload: order }),
  });
  if (answer.status !== 202)
    throw new Error(`POST answered ${answer.status}: ${await answer.text()}`);
  const { id } = await answer.json();
  await untilOk('the record is acknowledged', async () => {
    const record = await (await fetch(`${url}/v1/records/${id}`)).json();
    return record.status === 'acknowledged';
  });
  for (const path of ['/health', '/metrics', '/openapi.json', '/docs']) {
    const { status } = await fetch(`${url}${path}`);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}`);
  }
} catch (error) {
  failure = error;
}
service.kill('SIGTERM');
const { code, signal } = await exited;
rmSync(folder, { recursive: true, force: true });
if (failure) throw failure;
if (code !== 0) throw new Error(`SIGTERM ended with status ${code ?? signal}, not 0`);
console.log('smoke: started, accepted, acknowledged, stopped cleanly');
