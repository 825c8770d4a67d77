import { order } from '../support/orders.js';
import { readMessages, type ReadMessage } from '../support/kafka-messages.js';
import { type Broker, createBroker } from '../support/kafka-broker.mjs';
import { testBrokers, TestKafka, uniqueName } from '../support/kafka.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

const KEYS = 20;
const RECORD_ID = 'penstock-record-id';
const LONG_MS = 120_000;

jest.setTimeout(300_000);

interface Sent {
  readonly key: string;
  readonly number: number;
}

/** Posts records of many keys, each key's one after the other, and keeps what was accepted. */
class Load {
  readonly accepted = new Map<string, Sent>();
  readonly statuses = new Map<number, number>();
  private isOn = true;

  constructor(private readonly url: string) {}

  /** Until `stop`, or `count` records a key are accepted. */
  async run(count = Infinity): Promise<void> {
    await Promise.all(Array.from({ length: KEYS }, (_, i) => this.runKey(`customer-${i}`, count)));
  }

  stop(): void {
    this.isOn = false;
  }

  private async runKey(key: string, count: number): Promise<void> {
    for (let number = 1; this.isOn && number <= count;) {
      const answer = await fetch(`${this.url}/v1/records`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ payload: order(key, number), headers: { shop: key } }),
      });
      const { id } = (await answer.json()) as { id?: string };
      this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
      if (answer.status !== 202) continue;
      this.accepted.set(id!, { key, number });
      number += 1;
    }
  }
}

interface PipelineDocument {
  conservation: {
    accepted: number;
    acknowledged: number;
    deadLettered: number;
    inFlight: number;
    balanced: boolean;
  };
}

async function get<T>(service: Service, path: string): Promise<T> {
  const answer = await fetch(`${service.url}${path}`);
  return (await answer.json()) as T;
}

async function allEnded(service: Service): Promise<PipelineDocument['conservation']> {
  return until(
    async () => {
      const { conservation } = await get<PipelineDocument>(service, '/v1/admin/pipeline');
      return conservation.inFlight === 0 ? conservation : undefined;
    },
    { deadlineMs: LONG_MS, what: 'everything accepted is terminal' },
  );
}

/** The records of a topic once all that was accepted is there. */
function readAccepted(brokers: string[], topic: string, load: Load) {
  const missing = new Set(load.accepted.keys());
  let seen = 0;
  return readMessages(
    brokers,
    topic,
    (messages) => {
      for (; seen < messages.length; seen += 1) missing.delete(messages[seen]!.headers[RECORD_ID]!);
      return missing.size === 0;
    },
    LONG_MS,
  );
}

function expectFirstDeliveriesInOrder(messages: readonly ReadMessage[], load: Load): void {
  const seen = new Set<string>();
  const last = new Map<string, { number: number; partition: number }>();
  for (const { key, partition, headers } of messages) {
    const id = headers[RECORD_ID]!;
    if (seen.has(id)) continue;
    seen.add(id);
    const sent = load.accepted.get(id)!;
    const before = last.get(sent.key) ?? { number: 0, partition };
    expect(key).toBe(sent.key);
    expect({ number: sent.number, partition }).toEqual({
      number: before.number + 1,
      partition: before.partition,
    });
    last.set(sent.key, { number: sent.number, partition });
  }
  expect(seen).toEqual(new Set(load.accepted.keys()));
}

describe('The service with SINKS=kafka', () => {
  let database: TestDatabase;
  let service: Service | undefined;
  let topic = '';

  const start = (brokers: string, more: Record<string, string> = {}) =>
    startService({
      env: {
        DATABASE_URL: database.url,
        SINKS: 'kafka',
        KAFKA_BROKERS: brokers,
        KAFKA_OUTPUT_TOPIC: topic,
        KAFKA_PROFILE: 'low-latency',
        GATEWAY_MAX_REQUESTS_PER_SECOND: '0',
        ...more,
      },
    });

  beforeEach(async () => {
    topic = uniqueName('out');
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await service?.stop();
    service = undefined;
    await database.drop();
  });

  describe('on a broker that stays', () => {
    it('makes the topic and delivers records of 20 keys in order, with their bytes and headers', async () => {
      service = await start(testBrokers().join());
      const load = new Load(service.url);
      await load.run(25);
      const messages = await readAccepted(testBrokers(), topic, load);

      expect(load.accepted.size).toBe(500);
      expect(messages).toHaveLength(500);
      expectFirstDeliveriesInOrder(messages, load);
      for (const { headers, value } of messages) {
        const { key, number } = load.accepted.get(headers[RECORD_ID]!)!;
        expect(headers).toEqual({
          shop: key,
          [RECORD_ID]: headers[RECORD_ID],
          'penstock-attempt': '1',
        });
        // The example's preprocess adds the total.
        expect(JSON.parse(String(value))).toEqual({
          ...order(key, number),
          total: expect.any(Number),
        });
      }
      expect(await allEnded(service)).toMatchObject({ acknowledged: 500, balanced: true });
      const [id] = load.accepted.keys();
      const record = await get<object>(service, `/v1/records/${id}`);
      expect(JSON.stringify(record)).toContain(`${topic}:`);
    });

    it('is not ready while the topic is not as configured, and delivers when it is', async () => {
      const kafka = await TestKafka.connect();
      await kafka.createTopic(2, { name: topic });
      const settings = { KAFKA_OUTPUT_PARTITIONS: '3' };
      const environment = { ...settings, SINKS: 'kafka', KAFKA_OUTPUT_TOPIC: topic };
      service = await startService({
        isReadyAwaited: false,
        env: {
          DATABASE_URL: database.url,
          KAFKA_BROKERS: testBrokers().join(),
          ...environment,
        },
      });
      const started = service;
      const sentence = `${topic}: partitions is 2, expected 3`;
      const answer = await until(
        async () => {
          const text = await fetch(`${started.url}/health/ready`).then(
            (ready) => ready.text(),
            () => '',
          );
          return text.includes(sentence) ? text : undefined;
        },
        { deadlineMs: 60_000, what: 'the mismatch in the readiness' },
      );
      expect(JSON.parse(answer)).toMatchObject({
        status: 'error',
        error: { 'sink-kafka': { status: 'down', state: 'failed', topic } },
      });
      await kafka.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
      await kafka.close();
      const isReady = async () => (await fetch(`${started.url}/health/ready`)).ok;
      await until(isReady, { deadlineMs: 60_000, what: 'the service is ready' });
      expect(service.output().split(sentence)).toHaveLength(2);
      const load = new Load(service.url);
      await load.run(1);
      expect(await readAccepted(testBrokers(), topic, load)).toHaveLength(KEYS);
    });
  });

  describe('on a broker that dies', () => {
    let broker: Broker;

    beforeAll(async () => {
      broker = await createBroker();
    });
    afterAll(() => broker.stop());

    it('answers 202 or 429 while the broker is killed and restarted under load, and loses nothing', async () => {
      service = await start(broker.brokers, {
        PIPELINE_BUFFER_SIZE: '400',
        FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS: '100',
      });
      const started = service;
      const load = new Load(service.url);
      const running = load.run();
      await until(() => load.accepted.size > 500, { deadlineMs: LONG_MS, what: '500 records' });
      for (let round = 1; round <= 2; round += 1) {
        const before = load.accepted.size;
        await broker.kill();
        await until(() => sinkOf(started, 'away'), {
          deadlineMs: LONG_MS,
          what: 'the outage',
        });
        const refused = load.statuses.get(429) ?? 0;
        await until(() => (load.statuses.get(429) ?? 0) > refused + 20, {
          deadlineMs: LONG_MS,
          what: 'refusals',
        });
        await broker.start();
        await until(() => load.accepted.size > before + 1000, {
          deadlineMs: LONG_MS,
          what: '1000 more records',
        });
      }
      load.stop();
      await running;

      const ended = await allEnded(service);
      expect(new Set(load.statuses.keys())).toEqual(new Set([202, 429]));
      expect(ended).toMatchObject({
        accepted: load.accepted.size,
        acknowledged: load.accepted.size,
        deadLettered: 0,
        balanced: true,
      });
      expectFirstDeliveriesInOrder(await readAccepted([broker.brokers], topic, load), load);
    });

    it('starts without a broker, accepts records, and delivers them when it comes', async () => {
      await broker.kill();
      service = await start(broker.brokers);
      const load = new Load(service.url);
      await load.run(5);
      expect(load.accepted.size).toBe(100);
      const started = service;
      await until(() => sinkOf(started, 'away'), { what: 'the outage in the health detail' });
      await broker.start();
      expect(await allEnded(service)).toMatchObject({ acknowledged: 100, deadLettered: 0 });
      expectFirstDeliveriesInOrder(await readAccepted([broker.brokers], topic, load), load);
    });

    it('stops without waiting for a broker that is away; the next start delivers what was left', async () => {
      await broker.kill();
      service = await start(broker.brokers, { SHUTDOWN_TIMEOUT_MS: '60000' });
      const load = new Load(service.url);
      await load.run(2);
      await service.stop();
      expect(service.output()).toContain('40 records are left to the journal.');
      await broker.start();
      service = await start(broker.brokers);
      expect(await allEnded(service)).toMatchObject({ acknowledged: 40, deadLettered: 0 });
      expectFirstDeliveriesInOrder(await readAccepted([broker.brokers], topic, load), load);
    });
  });
});

/** Whether the health detail shows the sink in this state. */
async function sinkOf(service: Service, state: string): Promise<boolean> {
  const { details } = await get<{ details: { 'sink-kafka': { state: string } } }>(
    service,
    '/health',
  );
  return details['sink-kafka'].state === state;
}
