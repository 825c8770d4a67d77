import { Webhook } from 'standardwebhooks';
import { pipelineFile } from '../support/kafka-flow.js';
import { readMessages } from '../support/kafka-messages.js';
import { testBrokers, TestKafka, uniqueName } from '../support/kafka.js';
import { order } from '../support/orders.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { ScriptedReceiver } from '../support/scripted-receiver.js';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

const LONG_MS = 120_000;
const KEYS = 10;
const SECRETS = ['o', 'n'].map((letter) => `whsec_${Buffer.alloc(32, letter).toString('base64')}`);

jest.setTimeout(300_000);

interface Conservation {
  readonly accepted: number;
  readonly acknowledged: number;
  readonly deadLettered: number;
  readonly inFlight: number;
  readonly balanced: boolean;
}

async function get<T>(service: Service, path: string): Promise<T> {
  return (await (await fetch(`${service.url}${path}`)).json()) as T;
}

const conservationOf = async (service: Service): Promise<Conservation> =>
  (await get<{ conservation: Conservation }>(service, '/v1/admin/pipeline')).conservation;

async function allEnded(service: Service): Promise<Conservation> {
  return until(
    async () => {
      const conservation = await conservationOf(service);
      return conservation.inFlight === 0 ? conservation : undefined;
    },
    { deadlineMs: LONG_MS, what: 'everything accepted is terminal' },
  );
}

/** The id of the accepted record. */
async function post(service: Service, payload: unknown): Promise<string> {
  const answer = await fetch(`${service.url}/v1/records`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ payload }),
  });
  expect(answer.status).toBe(202);
  return ((await answer.json()) as { id: string }).id;
}

describe('Records to Postgres, Kafka and an HTTP callback', () => {
  let kafka: TestKafka;
  let database: TestDatabase;
  let receiver: ScriptedReceiver;
  let service: Service | undefined;
  let topic: string;

  beforeEach(async () => {
    [kafka, database, receiver] = await Promise.all([
      TestKafka.connect(),
      createTestDatabase(),
      ScriptedReceiver.start(),
    ]);
    topic = await kafka.createTopic(3);
  });
  afterEach(async () => {
    await service?.stop();
    service = undefined;
    await Promise.all([kafka.close(), database.drop(), receiver.stop()]);
  });

  const start = async (env: Readonly<Record<string, string>> = {}): Promise<Service> => {
    service = await startService({
      env: {
        DATABASE_URL: database.url,
        INSTANCE_ID: 'one',
        GATEWAY_MAX_REQUESTS_PER_SECOND: '0',
        KAFKA_BROKERS: testBrokers().join(),
        KAFKA_OUTPUT_TOPIC: topic,
        CALLBACK_URL: `${receiver.url}/hook`,
        CALLBACK_SECRET: SECRETS.join(),
        SINKS: 'postgres,kafka,callback',
        ...env,
      },
    });
    return service;
  };
  const rows = async <Row extends object>(sql: string): Promise<Row[]> =>
    (await database.pool.query<Row>(sql)).rows;
  const kafkaIds = async (count: number): Promise<Set<string>> => {
    const messages = await readMessages(
      testBrokers(),
      topic,
      (read) => new Set(read.map(({ headers }) => headers['penstock-record-id'])).size >= count,
      LONG_MS,
    );
    return new Set(messages.map(({ headers }) => headers['penstock-record-id']!));
  };

  it('reach all three through a kill -9 in the middle: the table exactly once, the callback signed and in order per key', async () => {
    const perKey = 20;
    const accepted = new Map<string, { readonly key: string; readonly number: number }>();
    let first = await start();
    let isHeld = true;
    // The kill comes while some records are acknowledged by table and topic, and not by the receiver.
    receiver.answer = ({ body }) => {
      const { orderId } = JSON.parse(body) as { orderId: string };
      return isHeld && /-(1[0-9]|20)$/.test(orderId) ? 'silence' : { status: 204 };
    };
    const load = async (service_: Service, from: number, to: number): Promise<void> => {
      for (let number = from; number <= to; number += 1) {
        await Promise.all(
          Array.from({ length: KEYS }, async (_, i) => {
            const key = `customer-${i}`;
            accepted.set(await post(service_, order(key, number)), { key, number });
          }),
        );
      }
    };
    await load(first, 1, 15);
    await until(
      async () => {
        const [found] = await rows<{ n: number }>('SELECT count(*)::int AS n FROM delivered');
        const parts = await rows<{ n: number }>(
          `SELECT count(*)::int AS n FROM acknowledgment a JOIN journal USING (record_id)`,
        );
        return found!.n === accepted.size && parts[0]!.n >= KEYS * 6 * 2;
      },
      { deadlineMs: LONG_MS, what: 'parts of records that the receiver holds back' },
    );
    await first.kill();
    isHeld = false;
    const before = receiver.requests.length;
    const second = await start();
    await load(second, 16, perKey);
    await expect(allEnded(second)).resolves.toMatchObject({
      accepted: KEYS * perKey,
      acknowledged: KEYS * perKey,
      deadLettered: 0,
      balanced: true,
    });
    const ids = new Set(accepted.keys());
    const table = await rows<{ id: string }>('SELECT record_id AS id FROM delivered');
    expect(table).toHaveLength(ids.size);
    expect(new Set(table.map(({ id }) => id))).toEqual(ids);
    expect(await kafkaIds(ids.size)).toEqual(ids);
    const perDestination = await rows(
      `SELECT d.name, count(*)::int AS n FROM acknowledgment a JOIN destination d ON d.code = a.destination
       GROUP BY 1 ORDER BY 1`,
    );
    expect(perDestination).toEqual(
      ['callback', 'kafka', 'postgres'].map((name) => ({ name, n: ids.size })),
    );
    expectSignedAndInOrder(accepted);
    // A restart repeats what was not acknowledged by the receiver, and nothing else.
    expect(receiver.requests.length - before).toBeLessThanOrEqual(KEYS * (perKey - 9));
  });

  function expectSignedAndInOrder(
    accepted: ReadonlyMap<string, { readonly key: string; readonly number: number }>,
  ): void {
    const seen = new Set<string>();
    const last = new Map<string, number>();
    for (const { headers, body } of receiver.requests) {
      for (const secret of SECRETS) {
        expect(() => new Webhook(secret).verify(body, headers as never)).not.toThrow();
      }
      const id = String(headers['webhook-id']);
      if (seen.has(id)) continue;
      seen.add(id);
      const { key, number } = accepted.get(id)!;
      expect(headers['penstock-key']).toBe(key);
      expect(number).toBe((last.get(key) ?? 0) + 1);
      last.set(key, number);
    }
    expect(seen).toEqual(new Set(accepted.keys()));
  }

  it('list each destination: one that refuses a record makes it a dead letter, and the others have it', async () => {
    receiver.answer = ({ body }) => ({ status: body.includes('order-bad') ? 422 : 204 });
    const started = await start();
    const [good, bad] = [
      await post(started, order('good', 1)),
      await post(started, order('bad', 1)),
    ];
    await expect(allEnded(started)).resolves.toMatchObject({ acknowledged: 1, deadLettered: 1 });
    const destinations = (names: readonly string[]) =>
      expect.arrayContaining(names.map((destination) => expect.objectContaining({ destination })));
    await expect(get(started, `/v1/records/${good}`)).resolves.toMatchObject({
      status: 'acknowledged',
      acknowledgments: destinations(['postgres', 'kafka', 'callback']),
    });
    await expect(get(started, `/v1/records/${bad}`)).resolves.toMatchObject({
      status: 'dead-lettered',
      reason: 'rejected',
      acknowledgments: destinations(['postgres', 'kafka']),
      deadLetters: [{ destination: 'callback', reason: 'rejected' }],
      failures: [{ destination: 'callback', status: 422 }],
    });
    expect(await kafkaIds(2)).toEqual(new Set([good, bad]));
  });

  it('wait while the receiver is away, and are no dead letters', async () => {
    await receiver.goAway();
    const started = await start();
    const id = await post(started, order('a', 1));
    await until(
      async () => {
        const { status, acknowledgments } = await get<{
          status: string;
          acknowledgments: { destination: string }[];
        }>(started, `/v1/records/${id}`);
        const names = acknowledgments.map(({ destination }) => destination).toSorted();
        return status === 'accepted' && names.join() === 'kafka,postgres';
      },
      { deadlineMs: LONG_MS, what: 'the parts of table and topic' },
    );
    await expect(conservationOf(started)).resolves.toMatchObject({ inFlight: 1, deadLettered: 0 });
    await receiver.comeBack();
    await expect(allEnded(started)).resolves.toMatchObject({ acknowledged: 1, deadLettered: 0 });
  });

  it('come from Kafka as well; a second topic has a slimmer output, and a callback that is not required holds nothing back', async () => {
    const [input, slim] = [await kafka.createTopic(2), await kafka.createTopic(1)];
    const pipeline = pipelineFile(`{
      name: 'slim',
      key: (order) => order.customerId,
      sinks: [
        { kind: 'postgres' },
        { kind: 'kafka' },
        { kind: 'kafka', topic: '${slim}', name: 'totals', map: ({ orderId }) => ({ orderId }) },
        { kind: 'callback', required: false },
      ],
    }`);
    try {
      await receiver.goAway();
      const started = await start({
        SINKS: '',
        PIPELINE_MODULE: pipeline.path,
        KAFKA_INPUT_TOPICS: input,
        KAFKA_GROUP_ID: uniqueName('group'),
      });
      const orders = Array.from({ length: 100 }, (_, i) => order(`customer-${i % 7}`, i));
      await kafka.produce(
        input,
        orders.map((each, i) => ({ value: JSON.stringify(each), partition: i % 2 })),
      );
      await until(async () => (await conservationOf(started)).acknowledged === orders.length, {
        deadlineMs: LONG_MS,
        what: 'all orders are acknowledged',
      });
      const table = await rows<{ payload: object }>('SELECT payload FROM delivered');
      expect(table.map(({ payload }) => payload)).toEqual(expect.arrayContaining(orders));
      expect(table).toHaveLength(orders.length);
      const slimmer = await readMessages(
        testBrokers(),
        slim,
        ({ length }) => length >= orders.length,
        LONG_MS,
      );
      expect(slimmer.map(({ value }) => JSON.parse(String(value)) as object)).toEqual(
        expect.arrayContaining(orders.map(({ orderId }) => ({ orderId }))),
      );
      const { conservation } = await get<{ conservation: Conservation }>(
        started,
        '/v1/admin/pipeline',
      );
      expect(conservation).toMatchObject({ balanced: true, deadLettered: 0 });
    } finally {
      pipeline.remove();
    }
  });
});
