import { writeFileSync } from 'node:fs';
import { testBrokers, TestKafka, uniqueName } from '../support/kafka.js';
import { pipelineFile } from '../support/kafka-flow.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

/** Its preprocess does not know a currency, and its egress refuses an order. */
const BROKEN = `{
  name: 'shop',
  preprocess: (order) => ({ ...order, total: order.amount * { EUR: 1 }[order.currency].valueOf() }),
  egress: (order) => { if (order.poison) throw Object.assign(new Error('no such order'), { status: 404 }); },
}`;
const FIXED = `{ name: 'shop', preprocess: (order) => ({ ...order, total: order.amount }), egress: () => undefined }`;
/** Nothing comes out of its egress. */
const STUCK = `{ name: 'shop', egress: () => new Promise(() => undefined) }`;

interface Letter {
  readonly id: string;
  readonly recordId: string;
  readonly reason: string;
  readonly lastError: string;
}

describe('Poison records, from the first death to their acknowledgment', () => {
  const pipeline = pipelineFile(BROKEN);
  let kafka: TestKafka;
  let database: TestDatabase;
  let service: Service;
  let topic = '';

  const start = async (definition: string): Promise<void> => {
    writeFileSync(pipeline.path, `export default ${definition};\n`);
    service = await startService({
      env: {
        DATABASE_URL: database.url,
        INSTANCE_ID: 'shop',
        PIPELINE_MODULE: pipeline.path,
        KAFKA_BROKERS: testBrokers().join(),
        KAFKA_GROUP_ID: uniqueName('group'),
        KAFKA_INPUT_TOPICS: topic,
        SHUTDOWN_TIMEOUT_MS: '2000',
      },
    });
  };
  const ask = async <T>(path: string, method = 'GET', body?: object): Promise<T> => {
    const headers = { 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { body: JSON.stringify(body), headers };
    return (await (await fetch(`${service.url}${path}`, { method, ...sent })).json()) as T;
  };
  const recordIs = (id: string, expected: Readonly<Record<string, string>>) =>
    until(
      async () => {
        const record = await ask<Record<string, unknown>>(`/v1/records/${id}`);
        const isThere = Object.entries(expected).every(([name, value]) => record[name] === value);
        return isThere ? record : undefined;
      },
      { what: `record ${id} to be ${Object.values(expected).join()}` },
    );
  const letters = async (): Promise<readonly Letter[]> =>
    (await ask<{ deadLetters: Letter[] }>('/v1/admin/dead-letters?state=waiting')).deadLetters;
  const redrive = (letter: Letter) => ask(`/v1/admin/dead-letters/${letter.id}/redrive`, 'POST');
  const conservation = async () =>
    (await ask<{ conservation: object }>('/v1/admin/pipeline')).conservation;

  beforeAll(async () => {
    [kafka, database] = await Promise.all([TestKafka.connect(), createTestDatabase()]);
    topic = await kafka.createTopic(1);
  });
  afterAll(async () => {
    await service?.stop();
    await Promise.all([kafka?.close(), database?.drop()]);
    pipeline.remove();
  });

  it('are dead letters, are sent again when the pipeline is fixed, through a kill, and delivered once', async () => {
    await start(BROKEN);
    const order = { amount: 5, currency: 'EUR', poison: true };
    const { id: rest } = await ask<{ id: string }>('/v1/records', 'POST', { payload: order });
    const value = JSON.stringify({ amount: 7, currency: 'USD' });
    await kafka.produce(topic, [{ partition: 0, key: 'k', value }]);
    const fromKafka = `${topic}:0:0`;
    for (const id of [rest, fromKafka]) await recordIs(id, { status: 'dead-lettered' });
    const dead = await letters();
    expect(dead.map(({ recordId, reason }) => [recordId, reason])).toEqual(
      expect.arrayContaining([
        [rest, 'rejected'],
        [fromKafka, 'pipeline'],
      ]),
    );
    expect(dead.find(({ recordId }) => recordId === rest)?.lastError).toContain('no such order');

    // On their way again, the service dies.
    await service.stop();
    await start(STUCK);
    for (const letter of dead) await redrive(letter);
    for (const id of [rest, fromKafka]) {
      await recordIs(id, { status: 'accepted', stage: 'AsyncEgress' });
    }
    expect(await conservation()).toMatchObject({ inFlight: 2, deadLettered: 0, balanced: true });
    await service.kill();

    await start(FIXED);
    for (const id of [rest, fromKafka]) {
      expect(await recordIs(id, { status: 'acknowledged' })).toMatchObject({ redrives: 1 });
    }
    expect(await letters()).toEqual([]);
    expect(await conservation()).toMatchObject({
      accepted: 2,
      acknowledged: 2,
      deadLettered: 0,
      inFlight: 0,
      balanced: true,
    });
    const { rows } = await database.pool.query<{ record_id: string; payload: object }>(
      'SELECT record_id, payload FROM delivered',
    );
    expect(new Map(rows.map((row) => [row.record_id, row.payload]))).toEqual(
      new Map([
        // What was accepted: preprocessed once, before it died.
        [rest, { ...order, total: 5 }],
        // What the topic holds, preprocessed by the fixed pipeline.
        [fromKafka, { amount: 7, currency: 'USD', total: 7 }],
      ]),
    );
    expect(rows).toHaveLength(2);
  });
});
