import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMessages } from '../support/kafka-messages.js';
import { endsOf, getJson, untilBooked } from '../support/kafka-flow.js';
import { testBrokers, TestKafka, uniqueName } from '../support/kafka.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type Service, startService, temporaryFolder } from '../support/service.js';

const CUSTOMERS = 10;
const ORDERS = 500;
const INVALID_EVERY = 50;
const PARTITIONS = 4;

/** Every fiftieth is no order. */
function makeOrders(): { partition: number; value: string }[] {
  return Array.from({ length: ORDERS }, (_, i) => {
    const customer = i % CUSTOMERS;
    const order = {
      customerId: `c-${customer}`,
      number: i,
      items: i % INVALID_EVERY === 0 ? [] : [{ quantity: 2, unitPrice: 9.5 }],
    };
    return { partition: customer % PARTITIONS, value: JSON.stringify(order) };
  });
}

const post = (service: Service, payload: unknown): Promise<Response> =>
  fetch(`${service.url}/v1/records`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', prefer: 'wait=20' },
    body: JSON.stringify({ payload }),
  });

describe('The seven lines of pipelines/priced-orders.pipeline.ts on a real broker', () => {
  let kafka: TestKafka;
  let database: TestDatabase;
  let service: Service;
  let input = '';
  let output = '';
  let slim = '';
  const pipeline = temporaryFolder();

  /**
   * The example with other topics (those of its own would be shared by all runs on the broker), and a second, slimmer
   * output by one more line.
   */
  const example = (): string => {
    const build = join(process.cwd(), 'dist');
    const [from, sources, sinks] = ['from', 'source-definition', 'sink-definition'].map((file) =>
      join(build, 'src', 'pipeline', `${file}.js`),
    );
    const steps = join(build, 'pipelines', 'priced-orders.pipeline.js');
    const path = join(pipeline.path, 'pipeline.mjs');
    writeFileSync(
      path,
      `import { from } from '${from}';
       import { kafka, rest } from '${sources}';
       import { kafkaSink } from '${sinks}';
       import { enrich, isValid, price } from '${steps}';
       export default from(kafka('${input}'), rest())
         .filter(isValid)
         .keyBy((order) => order.customerId)
         .map(price)
         .mapAsync(enrich, { timeoutMs: 10_000, capacity: 100 })
         .sinkTo(kafkaSink({ topic: '${output}' }))
         .sinkTo(kafkaSink({ topic: '${slim}', map: ({ customerId, total }) => ({ customerId, total }) }));`,
    );
    return path;
  };

  beforeAll(async () => {
    [kafka, database] = await Promise.all([TestKafka.connect(), createTestDatabase()]);
    input = await kafka.createTopic(PARTITIONS);
    output = await kafka.createTopic(PARTITIONS);
    slim = await kafka.createTopic(1);
    await kafka.produce(input, makeOrders());
    service = await startService({
      env: {
        DATABASE_URL: database.url,
        PIPELINE_MODULE: example(),
        KAFKA_BROKERS: testBrokers().join(),
        KAFKA_GROUP_ID: uniqueName('group'),
      },
    });
    await untilBooked(kafka, database.pool, { topic: input });
  });

  afterAll(async () => {
    await service?.stop();
    await Promise.all([kafka?.close(), database?.drop()]);
    pipeline.remove();
  });

  it('reads its topic, discards what the filter refuses, and delivers the rest priced and enriched, in order per customer', async () => {
    const delivered = ORDERS - ORDERS / INVALID_EVERY;
    const messages = await readMessages(testBrokers(), output, (read) => read.length >= delivered);
    expect(messages).toHaveLength(delivered);
    const last = new Map<string, number>();
    for (const { key, value } of messages) {
      const order = JSON.parse(String(value)) as { customerId: string; number: number };
      expect(order).toMatchObject({ customerId: key, total: 19, tax: 3.61 });
      expect(order.number).toBeGreaterThan(last.get(order.customerId) ?? -1);
      last.set(order.customerId, order.number);
    }
    const { conservation } = await getJson<{ conservation: object }>(service, '/v1/admin/pipeline');
    expect(conservation).toMatchObject({
      balanced: true,
      accepted: ORDERS,
      acknowledged: delivered,
      discarded: ORDERS / INVALID_EVERY,
    });
  });

  it('delivers every record to the second output as well, as its map says', async () => {
    const delivered = ORDERS - ORDERS / INVALID_EVERY;
    const messages = await readMessages(testBrokers(), slim, (read) => read.length >= delivered);
    expect(messages).toHaveLength(delivered);
    for (const { key, value } of messages) {
      expect(JSON.parse(String(value))).toEqual({ customerId: key, total: 19 });
    }
  });

  it('takes records by REST as well, to the same topics', async () => {
    const count = async (topic: string): Promise<number> =>
      (await endsOf(kafka, topic)).reduce((sum, end) => sum + end);
    const before = [await count(output), await count(slim)];
    const items = [{ quantity: 1, unitPrice: 2.5 }];
    const answer = await post(service, { customerId: 'c-rest', items });
    expect(await answer.json()).toMatchObject({ status: 'acknowledged' });
    expect([await count(output), await count(slim)]).toEqual(before.map((end) => end + 1));
    const discarded = await post(service, { customerId: 'c-rest', items: [] });
    expect(await discarded.json()).toMatchObject({
      status: 'discarded',
      reason: 'filtered by isValid',
    });
  });
});

describe('--check-config with pipelines/priced-orders.pipeline.ts', () => {
  const check = (environment: Record<string, string>) =>
    spawnSync(process.execPath, [join('dist', 'src', 'main.js'), '--check-config'], {
      env: { PIPELINE_MODULE: 'pipelines/priced-orders.pipeline.ts', ...environment },
      encoding: 'utf8',
      timeout: 60_000,
    });

  it('shows what the pipeline says in place of settings', () => {
    const { status, stdout } = check({ KAFKA_BROKERS: 'localhost:9092' });
    expect(stdout).toMatch(/^KAFKA_INPUT_TOPICS +\["orders"\] +pipeline$/m);
    expect(stdout).toMatch(/^EGRESS_OPERATION_TIMEOUT_MS +10000 +pipeline$/m);
    expect(stdout).toMatch(/^EGRESS_MAX_CONCURRENT_OPERATIONS +100 +pipeline$/m);
    expect(status).toBe(0);
  });

  it('refuses what the start would refuse, in one sentence', () => {
    const { status, stderr } = check({});
    expect(stderr).toContain(
      'With KAFKA_INPUT_TOPICS, EGRESS_OPERATION_TIMEOUT_MS, EGRESS_MAX_CONCURRENT_OPERATIONS of the pipeline orders: KAFKA_BROKERS must be set',
    );
    expect(stderr).not.toMatch(/^ +at /m);
    expect(status).toBe(1);
  });
});
