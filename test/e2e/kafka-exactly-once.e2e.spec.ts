import { patchFetchDecoding } from '#libs/kafka';
import { type Broker, createBroker } from '../support/kafka-broker.mjs';
import {
  type AdminDocument,
  endsOf,
  getJson,
  makeMessages,
  pipelineFile,
  runsOf,
  untilBooked,
} from '../support/kafka-flow.js';
import { quietLogger } from '../support/kafka-source.js';
import { TestKafka, uniqueName } from '../support/kafka.js';
import { order } from '../support/orders.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

const PARTITIONS = 4;
const RECORDS = 16_000;
const POISON_EVERY = 500;
const LONG_MS = 180_000;

jest.setTimeout(300_000);

describe('Exactly-once mode', () => {
  const groupId = uniqueName('group');
  /** The calls end in another order than they began, and one record in a thousand is too large for the output. */
  const pipeline = pipelineFile(`{
    name: 'exactly-once',
    egress: async (value) => {
      await new Promise((resolve) => setTimeout(resolve, value.number % 7));
      return value.number % 1000 === 1 ? { ...value, text: 'x'.repeat(30_000) } : value;
    },
  }`);
  let broker: Broker;
  let kafka: TestKafka;
  let database: TestDatabase;
  let input = '';
  let output = '';
  const services = new Map<string, Service>();

  const start = async (instance: string, env: Record<string, string> = {}): Promise<void> => {
    const service = await startService({
      isReadyAwaited: false,
      env: {
        DATABASE_URL: database.url,
        INSTANCE_ID: instance,
        PIPELINE_MODULE: pipeline.path,
        KAFKA_BROKERS: broker.brokers,
        KAFKA_GROUP_ID: groupId,
        KAFKA_INPUT_TOPICS: input,
        KAFKA_PROFILE: 'low-latency',
        KAFKA_SESSION_TIMEOUT_MS: '24000',
        KAFKA_REBALANCE_TIMEOUT_MS: '24000',
        KAFKA_HEARTBEAT_INTERVAL_MS: '200',
        KAFKA_MAX_RECORDS_PER_SECOND: '400',
        KAFKA_DELIVERY_GUARANTEE: 'exactly-once',
        SINKS: 'kafka',
        KAFKA_OUTPUT_TOPIC: output,
        ...env,
      },
    });
    services.set(instance, service);
  };
  const committed = async (): Promise<number> => {
    try {
      return (await kafka.committed(groupId, input)).reduce((sum, each) => sum + Math.max(0, each));
    } catch {
      return -1; // The broker is away.
    }
  };
  const untilCommitted = (count: number): Promise<unknown> =>
    until(async () => (await committed()) >= count, {
      deadlineMs: LONG_MS,
      what: `${count} records in the group's offsets`,
    }).catch(async (error: unknown) => {
      const outputs = [...services].map(
        ([name, each]) => `${name}:\n${each.output().slice(-4000)}`,
      );
      throw new Error(`${String(error)} It is at ${await committed()}.\n${outputs.join('\n')}`);
    });

  beforeAll(async () => {
    patchFetchDecoding(quietLogger);
    [broker, database] = await Promise.all([createBroker(), createTestDatabase()]);
    kafka = await TestKafka.connect({ brokers: [broker.brokers] });
    input = await kafka.createTopic(PARTITIONS);
    output = await kafka.createTopic(3, { config: { 'max.message.bytes': '20000' } });
    const messages = makeMessages(RECORDS, { partitions: PARTITIONS, poisonEvery: POISON_EVERY });
    await kafka.produce(input, messages);
  });

  afterAll(async () => {
    await Promise.all([...services.values()].map((service) => service.kill()));
    await kafka?.close();
    await Promise.all([broker?.stop(), database?.drop()]);
    pipeline.remove();
  });

  it('delivers each record once through kills, rebalances and a broker that dies', async () => {
    await start('first');
    const first = services.get('first')!;
    await until(() => first.output().includes('records from Kafka alone'), {
      what: 'the start line',
    });
    await untilCommitted(1500);
    await start('second');
    await untilCommitted(4000);
    await first.kill();
    await start('third');
    await untilCommitted(7000);
    await broker.kill();
    await broker.start();
    await untilCommitted(10_000);
    await services.get('second')!.kill();
    await services.get('third')!.stop();
    await start('fourth', { KAFKA_MAX_RECORDS_PER_SECOND: '0' });
    await untilCommitted(RECORDS);

    const isDelivered = (i: number): boolean =>
      i % POISON_EVERY !== POISON_EVERY - 1 && i % 1000 !== 1;
    const expected = Array.from({ length: RECORDS }, (_, i) => i).filter(isDelivered);
    const read = await kafka.readCommitted(output, expected.length);
    const numbers = read.map(({ value }) => (JSON.parse(value!) as { number: number }).number);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(expected);
    const last = new Map<string, number>();
    const late = read.filter(({ key }, i) => {
      if (key === null) return false;
      const before = last.get(key) ?? -1;
      last.set(key, numbers[i]!);
      return numbers[i]! <= before;
    });
    expect(late).toEqual([]);
  });

  it('has books that agree with the topics', async () => {
    await untilBooked(kafka, database.pool, { topic: input });
    const ends = await endsOf(kafka, input);
    expect(await kafka.committed(groupId, input)).toEqual(ends);
    expect(await runsOf(database.pool, input)).toEqual(
      ends.map((end, partition) => `${partition}:0-${end - 1}`),
    );
    const service = services.get('fourth')!;
    const { conservation } = await getJson<AdminDocument>(service, '/v1/admin/pipeline');
    const deadLettered = RECORDS / POISON_EVERY + RECORDS / 1000;
    expect(conservation).toMatchObject({
      balanced: true,
      sources: {
        kafka: { accepted: RECORDS, acknowledged: RECORDS - deadLettered, deadLettered },
      },
    });
    const { rows } = await database.pool.query<{ reason: string; count: number }>(
      'SELECT reason, count(*)::int AS count FROM dead_letter GROUP BY reason ORDER BY reason',
    );
    expect(rows).toEqual([
      { reason: 'rejected', count: RECORDS / 1000 },
      { reason: 'validation', count: RECORDS / POISON_EVERY },
    ]);
  });

  it('takes no records by REST, and says so', async () => {
    const { url } = services.get('fourth')!;
    const body = JSON.stringify({ payload: order('ada', 1) });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/v1/records`, { method: 'POST', headers, body });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ type: '/problems/kafka-only', status: 403 });
  });

  it('sends no dead letter again, says why, and leaves the letter as it was', async () => {
    const service = services.get('fourth')!;
    const path = '/v1/admin/dead-letters';
    const waiting = `${path}?state=waiting&limit=1`;
    const { deadLetters } = await getJson<{ deadLetters: { id: string }[] }>(service, waiting);
    const [letter] = deadLetters;
    const answer = await fetch(`${service.url}${path}/${letter!.id}/redrive`, { method: 'POST' });
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({ type: '/problems/exactly-once', status: 409 });
    expect(await getJson(service, `${path}/${letter!.id}`)).toMatchObject({
      state: 'waiting',
      redriveCount: 0,
    });
  });
});
