/** What each setting of the Kafka client changes, seen from the other side: in what the client is asked to do. */
import type { ProducerConfig } from 'kafkajs';
import { CircuitBreaker, SystemClock } from '#libs/flow-control';
import { CreditConsumer, type SourceGrant, Transactions } from '#libs/kafka';
import { consumerConfig } from '../../libs/kafka/src/kafka-clients.js';
import { KafkajsProducer } from '../../libs/kafka/src/kafkajs-producer.js';
import { ProducerQueue } from '../../libs/kafka/src/producer-queue.js';
import { ensureTopics } from '../../libs/kafka/src/topics.js';
import type { TransactionClient } from '../../libs/kafka/src/transaction-client.js';
import {
  kafkajsSinkOptionsOf,
  kafkaSourceOptionsOf,
  kafkaTuningOf,
} from '../../src/config/kafka-settings.js';
import { type Environment, loadOptions } from '../../src/config/load-options.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeConsumerClient, FakePayload } from '../support/fake-consumer-client.js';
import { InMemoryKafkaBooks } from '../support/in-memory-kafka-books.js';
import { quietLogger } from '../support/kafka-source.js';
import { ScriptedProducer } from '../support/scripted-producer.js';

const BASE = { KAFKA_BROKERS: 'nowhere:1', KAFKA_INPUT_TOPICS: 'in', KAFKA_OUTPUT_TOPIC: 'out' };

const optionsOf = (environment: Environment) =>
  loadOptions({ environment: { ...BASE, ...environment }, folder: '/nowhere' }).options;
const runtime = { clock: new SystemClock(), random: () => 0, logger: quietLogger };
const value = Buffer.alloc(400);
const records = (count: number) =>
  Array.from({ length: count }, (_, i) => {
    return { recordId: `${i}`, key: null, value, headers: undefined, attempt: 1 };
  });

/** Ten records of 400 bytes for one partition: how many are in each send, within `forMs`. */
async function sendsOf(environment: Environment, forMs = 100): Promise<number[]> {
  const clock = new FakeClock();
  const producer = new ScriptedProducer();
  const { tuning, maxRecords, ackTimeoutMs } = kafkajsSinkOptionsOf(optionsOf(environment), 'out');
  const breaker = new CircuitBreaker({
    openMs: 1000,
    maxOpenMs: 1000,
    failures: 1,
    ratio: 1,
    clock,
    random: () => 0,
  });
  const queue = new ProducerQueue(producer, {
    ...tuning,
    maxRecords,
    ackTimeoutMs,
    idempotent: false,
    breaker,
    random: () => 0,
    clock,
    retryInMs: () => undefined,
  });
  producer.onConnect = () => queue.partitionsKnown(1);
  queue.start();
  await clock.advanceAsync(0);
  void queue.deliver(records(10));
  for (let ms = 0; ms <= forMs; ms += 1) {
    producer.out.forEach((send) => send.answer());
    await clock.advanceAsync(1);
  }
  return producer.sends.map(({ ids }) => ids.length);
}

describe('What is sent', () => {
  it('holds at most KAFKA_MAX_RECORDS_PER_SEND records', async () => {
    expect(await sendsOf({ KAFKA_MAX_RECORDS_PER_SEND: '4' })).toEqual([4, 4, 2]);
    expect(await sendsOf({})).toEqual([10]);
  });

  it('holds at most KAFKA_MAX_BYTES_PER_SEND bytes', async () => {
    const sends = await sendsOf({ KAFKA_MAX_BYTES_PER_SEND: '1000', KAFKA_BATCH_BYTES: '500' });
    expect(Math.max(...sends)).toBeLessThanOrEqual(2);
    expect(sends.reduce((a, b) => a + b)).toBe(10);
  });

  it('is due at KAFKA_BATCH_BYTES, before the linger is over', async () => {
    const linger = { KAFKA_LINGER_MS: '50' };
    expect(await sendsOf({ ...linger, KAFKA_BATCH_BYTES: '1000' }, 10)).not.toEqual([]);
    expect(await sendsOf({ ...linger, KAFKA_BATCH_BYTES: '1000000' }, 10)).toEqual([]);
  });

  it('waits KAFKA_LINGER_MS for more', async () => {
    expect(await sendsOf({ KAFKA_LINGER_MS: '50' }, 40)).toEqual([]);
    expect(await sendsOf({ KAFKA_LINGER_MS: '50' }, 60)).toEqual([10]);
    expect(await sendsOf({ KAFKA_LINGER_MS: '0' }, 1)).toEqual([10]);
  });

  it('goes to one broker in KAFKA_MAX_IN_FLIGHT_REQUESTS requests at a time', async () => {
    const configs: ProducerConfig[] = [];
    const { tuning } = kafkajsSinkOptionsOf(
      optionsOf({ KAFKA_MAX_IN_FLIGHT_REQUESTS: '3' }),
      'out',
    );
    const nothing = (): Promise<void> => Promise.resolve();
    const producer = new KafkajsProducer({
      topic: 'out',
      tuning,
      idempotent: false,
      onPartitions: () => undefined,
      createClient: () => ({
        producer: (config) => {
          configs.push(config);
          return { connect: nothing, disconnect: nothing, send: () => Promise.resolve([]) };
        },
        admin: () => ({
          connect: nothing,
          disconnect: nothing,
          fetchTopicMetadata: () => Promise.resolve({ topics: [] }),
        }),
      }),
    });
    await producer.connect();
    expect(configs).toMatchObject([{ maxInFlightRequests: 3 }]);
  });

  it('in exactly-once mode is aborted by the broker after KAFKA_TRANSACTION_TIMEOUT_MS', async () => {
    const configs: ProducerConfig[] = [];
    const { kafka } = optionsOf({ KAFKA_TRANSACTION_TIMEOUT_MS: '30000' });
    const away = new Error('nobody answers');
    const createClient = (): TransactionClient => ({
      producer: (config) => {
        configs.push(config);
        return {
          connect: () => Promise.reject(away),
          disconnect: () => Promise.resolve(),
          transaction: () => Promise.reject(away),
        };
      },
      admin: () => {
        throw away;
      },
    });
    const { transactionTimeoutMs } = kafka;
    const options = { ...runtime, createClient, transactionTimeoutMs };
    const tuning = kafkaTuningOf(kafka);
    const transactions = new Transactions({ ...options, groupId: 'g', topic: 'out', tuning });
    await expect(transactions.take('in', 0)).rejects.toThrow(away);
    expect(configs).toMatchObject([
      { transactionTimeout: 30_000, transactionalId: 'penstock-g-in-0' },
    ]);
  });
});

describe('What is fetched', () => {
  const configOf = (environment: Environment) =>
    consumerConfig(kafkaSourceOptionsOf(optionsOf(environment), runtime));

  it.each([
    ['KAFKA_MIN_BYTES', 'minBytes', 77],
    ['KAFKA_MAX_WAIT_TIME_MS', 'maxWaitTimeInMs', 77],
    ['KAFKA_MAX_BYTES', 'maxBytes', 7_777_777],
    ['KAFKA_MAX_BYTES_PER_PARTITION', 'maxBytesPerPartition', 777_777],
    ['KAFKA_SESSION_TIMEOUT_MS', 'sessionTimeout', 40_000],
    ['KAFKA_HEARTBEAT_INTERVAL_MS', 'heartbeatInterval', 1777],
    ['KAFKA_REBALANCE_TIMEOUT_MS', 'rebalanceTimeout', 77_000],
  ] as const)('is asked for as %s says', (name, option, given) => {
    expect(configOf({ [name]: String(given) })).toMatchObject({ [option]: given });
    expect(configOf({})[option]).not.toBe(given);
  });

  it('is handed over KAFKA_MAX_RECORDS_PER_TURN records at a time', async () => {
    const clock = new FakeClock();
    const client = new FakeConsumerClient();
    client.topic('in', [{ start: 0, end: 100 }]);
    const settings = kafkaSourceOptionsOf(optionsOf({ KAFKA_MAX_RECORDS_PER_TURN: '3' }), runtime);
    const source = new CreditConsumer({ ...settings, clock }, () => client.client);
    const slices: number[] = [];
    const grant = (count: number): SourceGrant => ({ count, release: () => undefined });
    source.start(
      {
        request: grant,
        wait: (count) => Promise.resolve(grant(count)),
        offer: ({ records: handed }) => void slices.push(handed.length),
        headroom: () => 1,
      },
      new InMemoryKafkaBooks(),
    );
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 20; i += 1) await clock.advanceAsync(0);
    };
    await settle();
    client.join({ in: [0] });
    await settle();
    const messages = Array.from({ length: 8 }, (_, offset) => ({ offset }));
    const payload = new FakePayload('in', 0, messages, { now: () => clock.now() });
    void client.runConfig?.eachBatch?.(payload.payload);
    while (slices.reduce((a, b) => a + b, 0) < 8) await settle();
    expect(slices).toEqual([3, 3, 2]);
    await Promise.all([source.stop(), clock.advanceAsync(10_000)]);
  });
});

describe('An input topic that is made', () => {
  /** What the broker is asked to make. */
  async function madeWith(environment: Environment): Promise<unknown> {
    const { topicSpecs = [] } = kafkaSourceOptionsOf(optionsOf(environment), runtime);
    const asked: unknown[] = [];
    const admin = {
      listTopics: () => Promise.resolve([]),
      describeCluster: () => Promise.resolve({ brokers: [{}, {}, {}] }),
      createTopics: (request: { topics: unknown[] }) => {
        asked.push(...request.topics);
        return Promise.resolve(true);
      },
      fetchTopicMetadata: () => Promise.resolve({ topics: [] }),
      describeConfigs: () => Promise.resolve({ resources: [] }),
    };
    const options = { create: true, logger: quietLogger };
    await ensureTopics(admin as unknown as Parameters<typeof ensureTopics>[0], topicSpecs, options);
    return asked[0];
  }
  const entry = (name: string, set: string) => ({
    configEntries: expect.arrayContaining([{ name, value: set }]),
  });

  it('has KAFKA_INPUT_REPLICATION_FACTOR replicas', async () => {
    expect(await madeWith({})).toMatchObject({ replicationFactor: 3 });
    expect(await madeWith({ KAFKA_INPUT_REPLICATION_FACTOR: '2' })).toMatchObject({
      replicationFactor: 2,
    });
  });

  it('needs KAFKA_INPUT_MIN_INSYNC_REPLICAS of them', async () => {
    expect(await madeWith({})).toMatchObject(entry('min.insync.replicas', '2'));
    expect(await madeWith({ KAFKA_INPUT_MIN_INSYNC_REPLICAS: '1' })).toMatchObject(
      entry('min.insync.replicas', '1'),
    );
  });

  it('is cleaned up by KAFKA_INPUT_CLEANUP_POLICY', async () => {
    expect(await madeWith({})).toMatchObject(entry('cleanup.policy', 'delete'));
    expect(await madeWith({ KAFKA_INPUT_CLEANUP_POLICY: 'compact' })).toMatchObject(
      entry('cleanup.policy', 'compact'),
    );
  });

  it('has KAFKA_INPUT_PARTITIONS partitions, and keeps records for KAFKA_INPUT_RETENTION_MS', async () => {
    const given = { KAFKA_INPUT_PARTITIONS: '5', KAFKA_INPUT_RETENTION_MS: '5000' };
    expect(await madeWith(given)).toMatchObject({
      numPartitions: 5,
      ...entry('retention.ms', '5000'),
    });
  });
});
