import { watchService } from '../support/answer-watch.js';
import { order } from '../support/orders.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { freePort } from '../support/free-port.mjs';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

jest.setTimeout(180_000);

const INTERVAL_MS = 300;

interface Status {
  readonly instance: string;
  readonly peers: readonly { readonly instance: string }[];
  readonly paused: readonly string[];
  readonly conservation: { readonly acknowledged: number; readonly balanced: boolean };
}

const status = async (service: Service): Promise<Status> =>
  (await fetch(`${service.url}/v1/admin/pipeline`)).json() as Promise<Status>;

const admin = async (
  service: Service,
  method: string,
  path: string,
  body?: object,
): Promise<number> => {
  const answer = await fetch(`${service.url}/v1/admin/${path}`, {
    method,
    ...(body && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  await answer.arrayBuffer();
  return answer.status;
};

const post = (service: Service, i: number): Promise<Response> =>
  fetch(`${service.url}/v1/records`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ payload: order(`customer-${i % 5}`, i) }),
  });

describe('Two replicas on one database', () => {
  let database: TestDatabase;
  const running = new Set<Service>();
  const start = async (instance: string, isReadyAwaited = true): Promise<Service> => {
    const service = await startService({
      env: {
        DATABASE_URL: database.url,
        INSTANCE_ID: instance,
        MONITORING_INTERVAL_MS: `${INTERVAL_MS}`,
        FINAL_SINK_BUFFER_SIZE: '20',
        FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS: '10',
        PIPELINE_BUFFER_SIZE: '60',
      },
      isReadyAwaited,
    });
    running.add(service);
    return service;
  };
  const kill = async (service: Service): Promise<void> => {
    running.delete(service);
    await service.kill();
  };
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await Promise.all([...running].map((service) => service.stop()));
    running.clear();
    await database.drop();
  });

  it('see each other, and pause and change limits together; a pause survives a kill, a limit reverts', async () => {
    const owner = await start('replica-1');
    // Not ready for REST as long as the other one has the partitions.
    const standby = await start('replica-2', false);
    await until(
      async () => {
        const answer = await status(standby).catch(() => undefined);
        // While it starts, every call is answered by a problem.
        return answer?.peers?.some(({ instance }) => instance === 'replica-1');
      },
      { deadlineMs: 60_000, what: 'the second replica sees the first' },
    );

    expect(await admin(owner, 'POST', 'pipeline/pause')).toBe(200);
    expect((await status(owner)).paused).toEqual(['pipeline']);
    await until(async () => (await status(standby)).paused.length === 1, {
      what: 'the other replica is paused',
    });

    const ttlSeconds = 3;
    expect(await admin(standby, 'PATCH', 'stages/KeyGen', { bufferSize: 77, ttlSeconds })).toBe(
      200,
    );
    const keygenOf = async (service: Service): Promise<number> => {
      const answer = await fetch(`${service.url}/v1/admin/stages/KeyGen`);
      const { limits } = (await answer.json()) as { limits: { bufferSize: { current: number } } };
      return limits.bufferSize.current;
    };
    await until(async () => (await keygenOf(owner)) === 77, {
      what: 'the limit holds on the first',
    });
    await until(async () => (await keygenOf(owner)) === 2000, { what: 'the limit reverts' });

    await kill(owner);
    const again = await start('replica-1');
    expect((await status(again)).paused).toEqual(['pipeline']);
    const refused = await post(again, 1);
    expect([refused.status, ((await refused.json()) as { type: string }).type]).toEqual([
      503,
      '/problems/paused',
    ]);
    await admin(standby, 'POST', 'pipeline/resume');
    await until(async () => (await post(again, 2)).status === 202, { what: 'records are taken' });
  });

  it('a paused sink fills the pipeline up to a 429, survives a kill, and loses nothing', async () => {
    const service = await start('replica-1');
    await admin(service, 'POST', 'sinks/postgres/pause');
    const accepted = new Set<string>();
    let sent = 0;
    const send = async (to: Service): Promise<number> => {
      sent += 1;
      const answer = await post(to, sent);
      const { id } = (await answer.json()) as { id?: string };
      if (answer.status === 202 && id !== undefined) accepted.add(id);
      return answer.status;
    };
    await until(async () => (await send(service)) === 429, {
      deadlineMs: 60_000,
      what: 'the pressure reaches the caller',
    });
    expect(accepted.size).toBeLessThanOrEqual(60);
    expect(accepted.size).toBeGreaterThan(10);
    const delivered = async (): Promise<string[]> => {
      const { rows } = await database.pool.query<{ record_id: string }>(
        'SELECT record_id FROM delivered ORDER BY record_id',
      );
      return rows.map((row) => row.record_id);
    };
    expect(await delivered()).toEqual([]);

    await kill(service);
    const again = await start('replica-1');
    expect((await status(again)).paused).toEqual(['sink:postgres']);
    expect(await delivered()).toEqual([]);
    await admin(again, 'POST', 'sinks/postgres/resume');
    await until(async () => (await status(again)).conservation.acknowledged === accepted.size, {
      deadlineMs: 60_000,
      what: 'all that was accepted is delivered',
    });
    expect(new Set(await delivered())).toEqual(accepted);
    expect((await status(again)).conservation.balanced).toBe(true);
    await until(async () => (await send(again)) === 202, { what: 'records are taken again' });
  });
});

describe('ADMIN_PORT of a process', () => {
  it('is bound before anything else is touched, and closes with the other one', async () => {
    const database = await createTestDatabase();
    const adminPort = await freePort();
    const adminUrl = `http://127.0.0.1:${adminPort}`;
    const env = { DATABASE_URL: database.url, ADMIN_PORT: `${adminPort}` };
    const service = await startService({ env, isReadyAwaited: false });
    watchService(adminUrl);
    try {
      await until(
        async () => (await fetch(`${adminUrl}/health/ready`).catch(() => undefined))?.ok === true,
        { deadlineMs: 60_000, what: 'the service is ready' },
      );
      expect((await fetch(`${service.url}/health/ready`)).status).toBe(404);
      expect((await post(service, 1)).status).toBe(202);
      expect(service.output()).toContain(`health ${adminUrl}/health`);
      const second = await startService({ env, isReadyAwaited: false });
      expect(await second.exited).toBe(1);
      expect(second.output()).toContain(`ADMIN_PORT ${adminPort} on 127.0.0.1 is in use`);
      expect(await service.stop()).toBe(0);
      await expect(fetch(`${adminUrl}/health/live`)).rejects.toThrow('fetch failed');
    } finally {
      await service.stop();
      await database.drop();
    }
  });
});
