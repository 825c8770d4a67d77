import type { AnyPipelineDefinition } from '../../src/pipeline/definition.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { testBrokers, TestKafka, uniqueName } from '../support/kafka.js';
import { order } from '../support/orders.js';
import { Gate } from '../support/stage-harness.js';
import { until } from '../support/until.js';

interface Letter {
  readonly id: string;
  readonly recordId: string;
  readonly state: string;
  readonly reason: string;
  readonly redriveCount: number;
  readonly attempts: number;
  readonly failures: readonly object[];
  readonly trail: readonly { readonly event: string; readonly by?: string }[];
}

interface Books {
  readonly accepted: number;
  readonly acknowledged: number;
  readonly deadLettered: number;
  readonly discarded: number;
  readonly inFlight: number;
  readonly balanced: boolean;
}

const PATH = '/v1/admin/dead-letters';
const OPERATOR = 'loopback@127.0.0.1';

describe('a redrive', () => {
  let service: TestApplication;
  const started: TestApplication[] = [];
  const start = async (
    environment: Record<string, string> = {},
    definition?: AnyPipelineDefinition,
  ): Promise<void> => {
    service = await startApplication(environment, definition);
    started.push(service);
  };
  afterEach(async () => {
    for (const each of started.splice(0).toReversed()) await each.close();
  });

  const call = async <T>(method: 'GET' | 'POST' | 'DELETE', url: string) => {
    const answer = await service.app.inject({ method, url, headers: { host: 'localhost' } });
    return { code: answer.statusCode, body: answer.json() as T, headers: answer.headers };
  };
  const post = async (payload: unknown): Promise<string> => {
    const request = { method: 'POST', url: '/v1/records', payload: { payload } } as const;
    return ((await service.app.inject(request)).json() as { id: string }).id;
  };
  const statusOf = async (id: string) =>
    (await call<Record<string, unknown>>('GET', `/v1/records/${id}`)).body;
  const ended = (id: string, status: string) =>
    until(
      async () => {
        const body = await statusOf(id);
        return body['status'] === status ? body : undefined;
      },
      { what: `${id} to be ${status}` },
    );
  const letters = async (): Promise<readonly Letter[]> =>
    (await call<{ deadLetters: Letter[] }>('GET', PATH)).body.deadLetters;
  const letter = async (id: string): Promise<Letter> =>
    (await call<Letter>('GET', `${PATH}/${id}`)).body;
  const books = async (): Promise<Books> =>
    (await call<{ conservation: Books }>('GET', '/v1/admin/pipeline')).body.conservation;
  /** An order that the table refuses while it has this rule. */
  const refuse = () =>
    service.database.pool.query(
      `ALTER TABLE delivered ADD CONSTRAINT no_usd CHECK (payload->>'currency' <> 'USD')`,
    );
  const mend = () => service.database.pool.query('ALTER TABLE delivered DROP CONSTRAINT no_usd');
  const rejected = async (): Promise<Letter> => {
    const id = await post({ ...order('c', 1), currency: 'USD' });
    await ended(id, 'dead-lettered');
    return (await letters()).find(({ recordId }) => recordId === id)!;
  };
  const redrive = (id: string) => call<Record<string, unknown>>('POST', `${PATH}/${id}/redrive`);
  const stateOf = (id: string, state: string) =>
    until(
      async () => {
        const found = await letter(id);
        return found.state === state ? found : undefined;
      },
      { what: `letter ${id} to be ${state}` },
    );

  it('delivers the record when the cause is gone: same id, acknowledged, and the trail says who asked', async () => {
    await start();
    await refuse();
    const dead = await rejected();
    expect(await books()).toMatchObject({ deadLettered: 1, inFlight: 0, balanced: true });
    await mend();
    const answer = await redrive(dead.id);
    expect(answer.code).toBe(202);
    expect(answer.headers['location']).toBe(`${PATH}/${dead.id}`);
    expect(answer.body).toEqual({
      id: dead.id,
      recordId: dead.recordId,
      state: 'redriving',
      redriveCount: 1,
    });
    const record = await ended(dead.recordId, 'acknowledged');
    expect(record).toMatchObject({
      redrives: 1,
      acknowledgments: [{ destination: 'postgres', attempts: 1 }],
      trail: [{ event: 'redrive' }, { event: 'acknowledged' }],
    });
    // Whoever asks for a record need not know the operators.
    expect(JSON.stringify(record)).not.toContain('loopback');
    const after = await letter(dead.id);
    expect(after).toMatchObject({ state: 'redriven', redriveCount: 1, reason: 'rejected' });
    expect(after.trail).toEqual([
      { at: expect.any(String), event: 'redrive', by: OPERATOR },
      { at: expect.any(String), event: 'acknowledged' },
    ]);
    const { rows } = await service.database.pool.query('SELECT record_id, payload FROM delivered');
    expect(rows).toMatchObject([{ record_id: dead.recordId, payload: { currency: 'USD' } }]);
    expect(await books()).toEqual({
      ...(await books()),
      accepted: 1,
      acknowledged: 1,
      deadLettered: 0,
      inFlight: 0,
      balanced: true,
    });
    const audited = await service.database.pool.query(
      `SELECT value -> 0 AS entry FROM setting WHERE name = 'audit'`,
    );
    expect(audited.rows[0]).toMatchObject({
      entry: {
        by: OPERATOR,
        action: 'redrive',
        target: `dead letter ${dead.id} of record ${dead.recordId}`,
      },
    });
  });

  it('brings the letter back when the record dies again, with every attempt', async () => {
    await start();
    await refuse();
    const dead = await rejected();
    for (const time of [1, 2]) {
      expect((await redrive(dead.id)).code).toBe(202);
      const again = await until(
        async () => {
          const found = await letter(dead.id);
          return found.state === 'waiting' && found.failures.length > time ? found : undefined;
        },
        { what: 'the letter to be back' },
      );
      expect(again).toMatchObject({ redriveCount: time, attempts: 1 + time, reason: 'rejected' });
    }
    expect((await letter(dead.id)).trail.map(({ event }) => event)).toEqual([
      'redrive',
      'dead-lettered',
      'redrive',
      'dead-lettered',
    ]);
    expect(await statusOf(dead.recordId)).toMatchObject({ status: 'dead-lettered', redrives: 2 });
    expect(await books()).toMatchObject({ deadLettered: 1, inFlight: 0, balanced: true });
    const { rows } = await service.database.pool.query('SELECT count(*)::int FROM dead_letter');
    expect(rows).toEqual([{ count: 1 }]);
  });

  it('is in flight meanwhile: accepted, with its stage, and the books balance', async () => {
    const gate = new Gate();
    let isBroken = true;
    await start(
      { EGRESS_MAX_RETRIES: '1' },
      {
        name: 'held',
        egress: async () => {
          if (isBroken) throw new Error('broken');
          await gate.promise;
        },
      },
    );
    const id = await post({ n: 1 });
    await ended(id, 'dead-lettered');
    const [dead] = await letters();
    isBroken = false;
    await redrive(dead!.id);
    const present = await until(async () => {
      const body = await statusOf(id);
      return body['stage'] === 'AsyncEgress' ? body : undefined;
    });
    expect(present).toMatchObject({ status: 'accepted', priority: 'bulk', redrives: 1 });
    expect(await books()).toMatchObject({ deadLettered: 0, inFlight: 1, balanced: true });
    // What moves can't be moved again.
    for (const answer of [
      await redrive(dead!.id),
      await call<Record<string, unknown>>('DELETE', `${PATH}/${dead!.id}?reason=late`),
    ]) {
      expect(answer.code).toBe(409);
      expect(answer.body).toMatchObject({ type: '/problems/not-waiting', status: 409 });
      expect(answer.body['detail']).toContain('The dead letter is redriving;');
    }
    gate.open();
    await ended(id, 'acknowledged');
    expect(await books()).toMatchObject({ acknowledged: 1, inFlight: 0, balanced: true });
  });

  it('that a stop has cut short is taken up at the next start', async () => {
    const gate = new Gate();
    let isBroken = true;
    const definition: AnyPipelineDefinition = {
      name: 'held',
      egress: async () => {
        if (isBroken) throw new Error('broken');
        await gate.promise;
      },
    };
    await start({ EGRESS_MAX_RETRIES: '1', SHUTDOWN_TIMEOUT_MS: '300' }, definition);
    const first = service;
    const id = await post({ n: 1 });
    await ended(id, 'dead-lettered');
    isBroken = false;
    await redrive((await letters())[0]!.id);
    await until(async () => (await statusOf(id))['stage'] === 'AsyncEgress');
    await first.app.close();
    const { rows } = await first.database.pool.query('SELECT state FROM dead_letter');
    expect(rows).toEqual([{ state: 'redriving' }]);
    gate.open();
    await start({ DATABASE_URL: first.database.url }, definition);
    await ended(id, 'acknowledged');
    expect(await books()).toMatchObject({ acknowledged: 1, deadLettered: 0, balanced: true });
  });

  it('of a letter that nobody has is 404, and so is its discard', async () => {
    await start();
    for (const id of ['4711', 'x']) {
      expect((await redrive(id)).code).toBe(404);
      expect((await call('DELETE', `${PATH}/${id}?reason=x`)).code).toBe(404);
    }
  });

  it('is not needed for what an operator discards: the letter stays, with the reason, and its record stays dead', async () => {
    await start();
    await refuse();
    const dead = await rejected();
    const path = `${PATH}/${dead.id}`;
    for (const query of ['', '?reason=', '?reason=%20', `?reason=${'x'.repeat(501)}`]) {
      const refusal = await call<Record<string, unknown>>('DELETE', `${path}${query}`);
      expect(refusal.code).toBe(400);
      expect(refusal.body['detail']).toContain('The parameter reason');
    }
    const answer = await call<object>('DELETE', `${path}?reason=a%20test%20order`);
    expect(answer.code).toBe(200);
    expect(answer.body).toEqual({
      id: dead.id,
      recordId: dead.recordId,
      state: 'discarded',
      redriveCount: 0,
    });
    expect(await letter(dead.id)).toMatchObject({
      state: 'discarded',
      trail: [{ event: 'discard', by: OPERATOR, reason: 'a test order' }],
    });
    expect(await statusOf(dead.recordId)).toMatchObject({
      status: 'dead-lettered',
      trail: [{ event: 'discard', reason: 'a test order' }],
    });
    expect((await redrive(dead.id)).code).toBe(409);
    expect(await books()).toMatchObject({ deadLettered: 1, discarded: 0, balanced: true });
  });

  it.each(['discard', 'redrive'])(
    'and room: with EGRESS_MAX_DEAD_LETTER_QUEUE_SIZE letters the stages stop, and a %s lets them go on',
    async (what) => {
      await start({ EGRESS_MAX_DEAD_LETTER_QUEUE_SIZE: '1' });
      await refuse();
      const dead = await rejected();
      const second = await post({ ...order('c', 2), currency: 'USD' });
      const third = await post(order('c', 3));
      expect(await statusOf(second)).toMatchObject({ status: 'accepted' });
      if (what === 'discard') {
        await call('DELETE', `${PATH}/${dead.id}?reason=old`);
      } else {
        await mend();
        await redrive(dead.id);
        await ended(dead.recordId, 'acknowledged');
      }
      await ended(second, 'dead-lettered');
      await ended(third, 'acknowledged');
      expect(await books()).toMatchObject({ inFlight: 0, balanced: true });
    },
  );

  describe('of a record of Kafka', () => {
    let kafka: TestKafka;
    beforeAll(async () => {
      kafka = await TestKafka.connect();
    });
    afterAll(() => kafka.close());

    let mode: 'throw' | 'discard' | 'pass' = 'throw';
    const definition: AnyPipelineDefinition = {
      name: 'kafka',
      key: () => 'a key',
      preprocess: (payload: object, { discard }: { discard: (reason: string) => unknown }) => {
        if (mode === 'throw') throw new Error('a bug');
        return mode === 'discard' ? discard('not wanted') : { ...payload, seen: true };
      },
    } as AnyPipelineDefinition;
    const startWithPoison = async (): Promise<{ id: string; dead: Letter }> => {
      mode = 'throw';
      const topic = await kafka.createTopic(1);
      await kafka.produce(topic, [
        { partition: 0, key: 'k', value: '{"n":1}', headers: { shop: 'eu' } },
      ]);
      await start(
        {
          KAFKA_BROKERS: testBrokers().join(),
          KAFKA_GROUP_ID: uniqueName('group'),
          KAFKA_INPUT_TOPICS: topic,
          KAFKA_PROFILE: 'low-latency',
        },
        definition,
      );
      const id = `${topic}:0:0`;
      await ended(id, 'dead-lettered');
      return { id, dead: (await letters())[0]! };
    };

    it('begins at the Gateway, so a pipeline that was mended accepts it', async () => {
      const { id, dead } = await startWithPoison();
      expect(dead).toMatchObject({ recordId: id, reason: 'pipeline' });
      await redrive(dead.id);
      await until(async () => (await letter(dead.id)).failures.length === 2, {
        what: 'it dies again, as the bug is still there',
      });
      expect(await books()).toMatchObject({ accepted: 1, deadLettered: 1, balanced: true });
      mode = 'pass';
      await stateOf(dead.id, 'waiting');
      await redrive(dead.id);
      const record = await ended(id, 'acknowledged');
      expect(record).toMatchObject({ redrives: 2, acknowledgments: [{ destination: 'postgres' }] });
      const { rows } = await service.database.pool.query(
        'SELECT record_id, key, payload, headers FROM delivered',
      );
      const payload = { n: 1, seen: true };
      expect(rows).toEqual([{ record_id: id, key: 'a key', payload, headers: { shop: 'eu' } }]);
      expect(await books()).toMatchObject({
        accepted: 1,
        acknowledged: 1,
        deadLettered: 0,
        inFlight: 0,
        balanced: true,
      });
    });

    it('may end otherwise: what preprocess discards now is discarded, with its reason', async () => {
      const { id, dead } = await startWithPoison();
      mode = 'discard';
      await redrive(dead.id);
      expect(await ended(id, 'discarded')).toMatchObject({ reason: 'not wanted', redrives: 1 });
      expect(await letter(dead.id)).toMatchObject({
        state: 'redriven',
        trail: [{ event: 'redrive' }, { event: 'discarded', reason: 'not wanted' }],
      });
      expect(await books()).toMatchObject({ discarded: 1, deadLettered: 0, balanced: true });
    });
  });
});
