import { Logger } from '@nestjs/common';
import type { InjectOptions } from 'fastify';
import type { PoolClient } from 'pg';
import { definePipeline } from '../../src/pipeline/definition.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { NOTHING_OUTSTANDING, outstanding, startRestGateway } from '../support/rest-gateway.js';
import { Gate } from '../support/stage-harness.js';
import { until } from '../support/until.js';

Logger.overrideLogger(false);

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Record<string, never> & {
    readonly id: string;
    readonly results: readonly object[];
  };
}

interface Payload {
  readonly n: number;
  readonly isTest?: boolean;
}

let discardsTests = true;

const numbers = definePipeline<Payload>({
  name: 'numbers',
  key: ({ n }) => (Number.isInteger(n) ? `key ${n % 3}` : undefined),
  preprocess: (payload, { discard }) => {
    if (typeof payload.n !== 'number') throw new TypeError('n is no number');
    return payload.isTest === true && discardsTests ? discard('a test') : payload;
  },
});

describe('Idempotency-Key', () => {
  let service: TestApplication;
  let locks: PoolClient[] = [];

  const start = async (environment: Record<string, string> = {}): Promise<void> => {
    service = await startApplication(environment, numbers as never);
  };
  beforeEach(() => {
    discardsTests = true;
  });
  afterEach(async () => {
    for (const lock of locks) lock.release(true);
    locks = [];
    await service.close();
  });

  const call = async (options: InjectOptions): Promise<Answer> => {
    const { statusCode, headers, body } = await service.app.inject(options as never);
    return { status: statusCode, headers, body: JSON.parse(body) as Answer['body'] };
  };
  const post = (
    payload: unknown,
    key?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> =>
    call({
      method: 'POST',
      url: '/v1/records',
      headers: { 'content-type': 'application/json', ...keyHeader(key), ...headers },
      payload: typeof payload === 'string' ? payload : JSON.stringify({ payload }),
    });
  const postBatch = (lines: readonly unknown[], key?: string, type = 'json'): Promise<Answer> => {
    const texts = lines.map((line) => JSON.stringify(line));
    return call({
      method: 'POST',
      url: '/v1/records:batch',
      headers: { 'content-type': `application/${type}`, ...keyHeader(key) },
      payload: type === 'json' ? `[${texts.join(',')}]` : `${texts.join('\n')}\n`,
    });
  };
  const keyHeader = (key?: string): Record<string, string> =>
    key === undefined ? {} : { 'idempotency-key': key };
  const count = async (table: string): Promise<number> =>
    (
      await service.database.pool.query<{ rows: number }>(
        `SELECT count(*)::int AS rows FROM ${table}`,
      )
    ).rows[0]!.rows;
  const statusOf = async (id: string): Promise<unknown> =>
    (await call({ method: 'GET', url: `/v1/records/${id}` })).body['status'];
  const untilEnded = (id: string, status = 'acknowledged'): Promise<unknown> =>
    until(async () => (await statusOf(id)) === status, { what: `${id} is ${status}` });
  /** Holds a table, so that what needs it waits. */
  const lockTable = async (table: string): Promise<() => Promise<unknown>> => {
    const client = await service.database.pool.connect();
    locks.push(client);
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    return () => client.query('COMMIT');
  };
  const untilWaitsFor = (table: string): Promise<unknown> =>
    until(
      async () =>
        (
          await service.database.pool.query(
            'SELECT FROM pg_locks WHERE relation = $1::regclass AND NOT granted',
            [table],
          )
        ).rowCount! > 0,
      { what: `a statement waits for ${table}` },
    );

  describe('of one record', () => {
    it('brings the same record again, with its Location and present status', async () => {
      await start();
      const first = await post({ n: 1 }, 'k');
      expect(first).toMatchObject({ status: 202, body: { status: 'accepted' } });
      expect(first.headers).not.toHaveProperty('idempotency-replayed');
      const { id } = first.body;
      await untilEnded(id);
      const again = await post({ n: 1 }, 'k');
      expect(again).toMatchObject({ status: 200, body: { id, status: 'acknowledged' } });
      expect(again.headers).toMatchObject({
        location: `/v1/records/${id}`,
        'idempotency-replayed': 'true',
      });
      expect(await count('delivered')).toBe(1);
      const status = await call({ method: 'GET', url: '/v1/admin/pipeline' });
      expect(status.body['conservation']).toMatchObject({ accepted: 1, balanced: true });
    });

    it('answers 202 while the record is on its way; with Prefer: wait the end is waited for', async () => {
      await start();
      const unlock = await lockTable('delivered');
      const { id } = (await post({ n: 1 }, 'k')).body;
      const again = await post({ n: 1 }, 'k');
      expect(again).toMatchObject({ status: 202, body: { id, status: 'accepted' } });
      expect(again.headers).toMatchObject({ 'idempotency-replayed': 'true' });
      const waiting = post({ n: 1 }, 'k', { prefer: 'wait=30' });
      await untilWaitsFor('delivered');
      await unlock();
      expect(await waiting).toMatchObject({ status: 200, body: { id, status: 'acknowledged' } });
    });

    it('says how a dead letter ended', async () => {
      await start();
      await service.database.pool.query(
        `ALTER TABLE delivered ADD CHECK ((payload->>'n')::int < 100)`,
      );
      const { id } = (await post({ n: 100 }, 'k')).body;
      await untilEnded(id, 'dead-lettered');
      const again = await post({ n: 100 }, 'k');
      expect(again).toMatchObject({
        status: 200,
        body: { id, status: 'dead-lettered', reason: expect.any(String) },
      });
    });

    it('is refused with 422 when it comes with another body, and changes nothing', async () => {
      await start();
      const { id } = (await post({ n: 1 }, 'k')).body;
      const other = await post({ n: 2 }, 'k');
      expect(other).toMatchObject({
        status: 422,
        body: { type: '/problems/idempotency-key-reused', status: 422 },
      });
      expect(other.headers['content-type']).toBe('application/problem+json');
      // Equal as JSON is not enough: the bytes count.
      expect((await post('{ "payload": {"n":1} }', 'k')).status).toBe(422);
      await untilEnded(id);
      expect((await post({ n: 1 }, 'k')).body).toMatchObject({ id });
      expect(await count('acknowledgment')).toBe(1);
    });

    it('is told 409 with Retry-After while the first request runs, and replayed after it', async () => {
      await start();
      const unlock = await lockTable('journal');
      const first = post({ n: 1 }, 'k');
      await untilWaitsFor('journal');
      const second = await post({ n: 1 }, 'k');
      expect(second).toMatchObject({
        status: 409,
        body: { type: '/problems/idempotency-key-running', retryAfterMs: 1000 },
      });
      expect(second.headers['retry-after']).toBe('1');
      // Another tenant's key is another key.
      const foreign = post({ n: 1 }, 'k', { 'penstock-tenant': 'acme' });
      await unlock();
      const { id } = (await first).body;
      expect((await foreign).body.id).not.toBe(id);
      expect((await post({ n: 1 }, 'k')).body).toMatchObject({ id });
    });

    it('brings one record when 100 requests come at once: the others are told 409, or of that record', async () => {
      await start({ GATEWAY_MAX_REQUESTS_PER_SECOND: '0' });
      const answers = await Promise.all(Array.from({ length: 100 }, () => post({ n: 1 }, 'k')));
      const taken = answers.filter(({ status }) => status !== 409);
      const [first, ...others] = taken.filter(
        ({ headers }) => !('idempotency-replayed' in headers),
      );
      expect(first).toMatchObject({ status: 202 });
      expect(others).toEqual([]);
      taken.push(await post({ n: 1 }, 'k'));
      expect(new Set(taken.map(({ body }) => body.id)).size).toBe(1);
      await untilEnded(taken[0]!.body.id);
      expect(await count('delivered')).toBe(1);
    });

    it.each(['', 'k'.repeat(256), 'a\tb', 'a\u0085b'])(
      'is refused with 400 when it is %j, before the body is read',
      async (key) => {
        await start();
        const answer = await post('no JSON', key);
        expect(answer).toMatchObject({ status: 400, body: { type: '/problems/malformed' } });
        expect(answer.body['detail']).toMatch(/^Idempotency-Key must be 1 to 255 characters/);
      },
    );

    it('is free again after a record that was invalid, or that the pipeline failed on', async () => {
      await start();
      expect((await post('{"payload":1,"other":2}', 'k')).status).toBe(422);
      expect((await post({ n: 'one' }, 'k')).status).toBe(500);
      const taken = await post({ n: 1 }, 'k');
      expect(taken.status).toBe(202);
      expect(taken.headers).not.toHaveProperty('idempotency-replayed');
    });

    it('is free again after a refusal for lack of room (429) or of a database (503)', async () => {
      await start({ JOURNAL_MAX_RECORDS: '1' });
      const unlock = await lockTable('delivered');
      const { id } = (await post({ n: 1 })).body;
      expect((await post({ n: 2 }, 'k')).status).toBe(429);
      await unlock();
      await untilEnded(id);
      await service.database.pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name LIKE 'penstock ledger%'`,
      );
      await until(async () => (await post({ n: 2 }, 'j')).status === 503, { what: 'a 503' });
      const taken = async (key: string): Promise<boolean> => {
        const { status, headers } = await post({ n: 2 }, key);
        expect(headers).not.toHaveProperty('idempotency-replayed');
        return status === 202;
      };
      await until(() => taken('k'), { what: 'the database is back' });
      await until(() => taken('j'), { what: 'there is room again' });
    });

    it('is not kept for a record that the pipeline discards: the same again is decided about anew', async () => {
      await start();
      const dropped = await post({ n: 1, isTest: true }, 'k');
      expect(dropped).toMatchObject({ status: 200, body: { status: 'discarded' } });
      discardsTests = false;
      const taken = await post({ n: 1, isTest: true }, 'k');
      expect(taken).toMatchObject({ status: 202, body: { status: 'accepted' } });
      expect(taken.body.id).not.toBe(dropped.body.id);
    });

    it('counts as new when IDEMPOTENCY_TTL_HOURS have passed', async () => {
      await start({ IDEMPOTENCY_TTL_HOURS: '2' });
      const { id } = (await post({ n: 1 }, 'k')).body;
      const { pool } = service.database;
      const { rows } = await pool.query(
        `SELECT expires_at - now() BETWEEN interval '119 min' AND interval '2 h' AS "isTwoHours" FROM idempotency_key`,
      );
      expect(rows).toEqual([{ isTwoHours: true }]);
      expect((await post({ n: 1 }, 'k')).body.id).toBe(id);
      // The clock of the database counts; to move the keys is the same as to move it.
      await pool.query(`UPDATE idempotency_key SET expires_at = expires_at - interval '2 h'`);
      const late = await post({ n: 7 }, 'k');
      expect(late.status).toBe(202);
      expect(late.body.id).not.toBe(id);
      expect((await post({ n: 7 }, 'k')).body.id).toBe(late.body.id);
    });

    it('is answered as accepted when the books no longer know the record', async () => {
      await start();
      const { id } = (await post({ n: 1 }, 'k')).body;
      await untilEnded(id);
      await service.database.pool.query('DELETE FROM acknowledgment');
      const again = await post({ n: 1 }, 'k');
      expect(again).toMatchObject({ status: 202, body: { id, status: 'accepted' } });
    });
  });

  describe.each(['json', 'x-ndjson'])('of a batch as %s', (type) => {
    const records = (numbers: readonly unknown[]) => numbers.map((n) => ({ payload: { n } }));

    it('brings each record once: those of the first request are replayed, the others taken', async () => {
      await start();
      const first = await postBatch(records([1, 'two', 3]), 'k', type);
      expect(first).toMatchObject({ status: 202, body: { accepted: 2, refused: 1 } });
      const [one, , three] = first.body.results as { id: string }[];
      await untilEnded(three!.id);
      await untilEnded(one!.id);
      const again = await postBatch(records([1, 2, 3, 4]), 'k', type);
      expect(again).toMatchObject({ status: 202, body: { accepted: 4, refused: 0 } });
      expect(again.body.results).toEqual([
        { index: 0, id: one!.id, status: 'acknowledged', replayed: true },
        { index: 1, id: expect.any(String), status: 'accepted' },
        { index: 2, id: three!.id, status: 'acknowledged', replayed: true },
        { index: 3, id: expect.any(String), status: 'accepted' },
      ]);
      await until(async () => (await count('delivered')) === 4, { what: 'four deliveries' });
    });

    it('refuses a record whose place had another one, with 422, and holds nothing back for it', async () => {
      await start();
      const [first] = (await postBatch(records([3, 1]), 'k', type)).body.results as {
        id: string;
      }[];
      // 3, 6 and 9 have one key for their order.
      const other = await postBatch(records([3, 6, 9]), 'k', type);
      expect(other).toMatchObject({ status: 202, body: { accepted: 2, refused: 1 } });
      expect(other.body.results).toMatchObject([
        { index: 0, id: first!.id, replayed: true },
        { index: 1, problem: { type: '/problems/idempotency-key-reused', status: 422 } },
        { index: 2, status: 'accepted' },
      ]);
      const reused = await postBatch(records([7, 7]), 'k', type);
      expect(reused).toMatchObject({
        status: 422,
        body: { type: '/problems/idempotency-key-reused', accepted: 0, refused: 2 },
      });
    });

    it('is told 409 while the first request runs', async () => {
      await start();
      const unlock = await lockTable('journal');
      const first = postBatch(records([1, 2]), 'k', type);
      await untilWaitsFor('journal');
      const second = await postBatch(records([1, 2]), 'k', type);
      expect(second).toMatchObject({
        status: 409,
        body: { type: '/problems/idempotency-key-running', accepted: 0, refused: 2 },
      });
      expect(second.headers['retry-after']).toBe('1');
      await unlock();
      const ids = (answer: Answer) =>
        answer.body.results.map((each) => (each as { id: string }).id);
      const kept = ids(await first);
      expect(ids(await postBatch(records([1, 2]), 'k', type))).toEqual(kept);
    });

    it('has nothing in common with the key of a single record or of the other kind of batch', async () => {
      await start();
      expect((await post({ n: 1 }, 'k')).status).toBe(202);
      expect((await postBatch(records([1]), 'k', type)).body.results).toMatchObject([
        { status: 'accepted' },
      ]);
      // Sent as the key of one record, that of a batch's record is a reused one: the route is another.
      expect((await post({ n: 1 }, 'k#0')).status).toBe(422);
    });
  });
});

describe('A key that runs', () => {
  it('holds nothing of the pipeline for the requests that it refuses, and is free after any verdict', async () => {
    const rest = await startRestGateway();
    try {
      const gate = new Gate();
      rest.rest.gate = gate.promise;
      const post = (): Promise<Response> =>
        fetch(`${rest.url}/v1/records`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': 'k' },
          body: '{"payload":1}',
        });
      const refusal = new Error('of the pipeline');
      rest.rest.verdictFor = () => ({ kind: 'refused', error: refusal });
      const first = post();
      await until(() => rest.rest.taken.length === 1, { what: 'the first request to run' });
      expect((await Promise.all([post(), post()])).map(({ status }) => status)).toEqual([409, 409]);
      // Those of the first request.
      const its = { gateway: 0, keygen: 1, pipeline: 1, permits: 1 };
      await until(() => JSON.stringify(outstanding(rest)) === JSON.stringify(its), {
        what: 'credits and permits of the others are back',
      });
      gate.open();
      expect((await first).status).toBe(500);
      rest.rest.verdictFor = () => ({ kind: 'accepted' });
      expect((await post()).status).toBe(200);
      expect(rest.rest.taken).toHaveLength(2);
      await until(() => JSON.stringify(outstanding(rest)) === JSON.stringify(NOTHING_OUTSTANDING), {
        what: 'all credits and permits are back',
      });
    } finally {
      await rest.close();
    }
  });
});
