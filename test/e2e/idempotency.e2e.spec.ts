import { order } from '../support/orders.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { freePort } from '../support/free-port.mjs';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

const CLIENTS = 8;

interface Outcome {
  readonly id: string;
  readonly isReplayed: boolean;
}

describe('A client that repeats its requests with their Idempotency-Key', () => {
  let database: TestDatabase;
  let service: Service | undefined;

  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await service?.kill();
    await database.drop();
  });

  const start = async (port: number): Promise<void> => {
    service = await startService({
      port,
      env: {
        DATABASE_URL: database.url,
        INSTANCE_ID: 'replica-1',
        GATEWAY_MAX_REQUESTS_PER_SECOND: '0',
      },
    });
  };
  /** Undefined for an answer that is none: the service was killed, is starting, or has the key at work. */
  const post = async (url: string, key: string, sequence: number): Promise<Outcome | undefined> => {
    try {
      const answer = await fetch(`${url}/v1/records`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify({ payload: order('customer', sequence) }),
      });
      const { id } = (await answer.json()) as { id: string };
      return answer.ok ? { id, isReplayed: answer.headers.has('idempotency-replayed') } : undefined;
    } catch {
      return undefined;
    }
  };

  it('brings each record once, though the service is killed while they are under way', async () => {
    const port = await freePort();
    await start(port);
    const { url } = service!;
    const told = new Map<string, string>();
    let sent = 0;
    let isOver = false;
    const client = async (): Promise<void> => {
      while (!isOver) {
        const sequence = (sent += 1);
        const key = `order ${sequence}`;
        const outcome = await until(() => post(url, key, sequence), {
          deadlineMs: 90_000,
          what: `an answer to ${key}`,
        });
        told.set(key, outcome.id);
      }
    };
    const clients = Array.from({ length: CLIENTS }, client);
    await until(() => told.size > 300, { what: 'records under way' });
    await service!.kill();
    const before = [...told];
    await start(port);
    await until(() => told.size > before.length + 100, { what: 'records after the restart' });
    isOver = true;
    await Promise.all(clients);

    // Nothing "still runs" after the kill, and every key of before it names its record.
    for (const [key, id] of before.slice(-50)) {
      const outcome = await post(url, key, Number(key.split(' ')[1]));
      expect(outcome).toEqual({ id, isReplayed: true });
    }
    expect(new Set(told.values()).size).toBe(sent);
    const count = async (table: string): Promise<number> =>
      (await database.pool.query<{ rows: number }>(`SELECT count(*)::int AS rows FROM ${table}`))
        .rows[0]!.rows;
    await until(async () => (await count('journal')) === 0, {
      deadlineMs: 60_000,
      what: 'every record has its end',
    });
    expect(await count('delivered')).toBe(sent);
    const ids = (
      await database.pool.query<{ id: string }>('SELECT record_id AS id FROM delivered')
    ).rows.map(({ id }) => id);
    expect(ids.toSorted()).toEqual([...told.values()].toSorted());
    const answer = await fetch(`${url}/v1/admin/pipeline`);
    const { conservation } = (await answer.json()) as { conservation: object };
    expect(conservation).toMatchObject({ accepted: sent, acknowledged: sent, balanced: true });
  });
});
