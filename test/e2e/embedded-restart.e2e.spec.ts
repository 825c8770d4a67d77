import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { order } from '../support/orders.js';
import { freePort } from '../support/free-port.mjs';
import { type Service, startService, temporaryFolder } from '../support/service.js';
import { until } from '../support/until.js';

const KEYS = 16;

/** The pid on the first line of the embedded server's own file. */
function postmasterPid(folder: string): number {
  return Number(readFileSync(join(folder, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
}

async function statusOf(service: Service, id: string): Promise<string> {
  const answer = await fetch(`${service.url}/v1/records/${id}`);
  return ((await answer.json()) as { status: string }).status;
}

describe('The embedded default', () => {
  const folder = temporaryFolder();
  const dataFolder = join(folder.path, 'data');
  let service: Service | undefined;

  afterAll(async () => {
    await service?.stop();
    folder.remove();
  });

  it('keeps every 202 when the service and its database are killed under load', async () => {
    const port = await freePort();
    const env = { DATA_DIR: dataFolder };
    service = await startService({ env, port });
    const accepted: string[] = [];
    const { url } = service;
    const post = async (key: string, sequence: number): Promise<boolean> => {
      try {
        const answer = await fetch(`${url}/v1/records`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ payload: order(key, sequence) }),
        });
        const body = (await answer.json()) as { id: string };
        if (answer.status === 202) accepted.push(body.id);
        return true;
      } catch {
        return false; // The service was killed: nobody was told anything.
      }
    };
    const clients = Array.from({ length: KEYS }, async (_, i) => {
      for (let sequence = 1; await post(`customer-${i}`, sequence); sequence += 1);
    });
    await until(() => accepted.length > 500, { deadlineMs: 30_000, what: '500 accepted records' });

    const databasePid = postmasterPid(dataFolder);
    process.kill(service.pid, 'SIGKILL');
    process.kill(databasePid, 'SIGKILL');
    await service.exited;
    await Promise.all(clients);

    service = await startService({ env, port });
    const restarted = service;
    for (const id of accepted) {
      await until(async () => (await statusOf(restarted, id)) === 'acknowledged', {
        deadlineMs: 30_000,
        what: `record ${id} is acknowledged`,
      });
    }
    const status = await fetch(`${restarted.url}/v1/admin/pipeline`);
    const { conservation } = (await status.json()) as { conservation: Record<string, unknown> };
    expect(conservation).toMatchObject({ inFlight: 0, balanced: true });
    expect(conservation['acknowledged']).toBeGreaterThanOrEqual(accepted.length);
  });

  it('stops cleanly on SIGTERM and starts again in the same folder', async () => {
    expect(await service?.stop()).toBe(0);
    service = await startService({ env: { DATA_DIR: dataFolder } });
    expect(service.output()).not.toMatch(/error/i);
  });
});
