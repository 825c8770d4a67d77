import { KafkaJSProtocolError, type Message, type Producer, type ProducerConfig } from 'kafkajs';
import { CircuitBreaker, SystemClock } from '#libs/flow-control';
import type { Outgoing } from './kafka-sink.js';
import { KafkajsProducer, type ProducerClient } from './kafkajs-producer.js';
import { ProducerQueue } from './producer-queue.js';
import { tuningOf } from './profiles.js';

/**
 * The send code of kafkajs 2.2.4 itself, over two brokers that follow a script: what it loses when one `send()` holds
 * several partitions, and that our sends, one partition each, lose nothing under the same script.
 */
const createProducer =
  jest.requireActual<(options: ProducerConfig & { cluster: unknown; logger: unknown }) => Producer>(
    'kafkajs/src/producer',
  );
const { createErrorFromCode } = jest.requireActual<{
  createErrorFromCode: (code: number) => KafkaJSProtocolError;
}>('kafkajs/src/protocol/error');

const TOPIC = 'orders';
const NOT_LEADER_FOR_PARTITION = 6;
const RETRY = { initialRetryTime: 1, maxRetryTime: 2, factor: 0.2, multiplier: 2, retries: 3 };

interface ProduceRequest {
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly messages: Message[] }[];
  }[];
}

/** Two brokers, A and B; partition 0 is led by A, partition 1 by B, until a refresh of the metadata says otherwise. */
class TwoBrokers {
  readonly log: string[] = [];
  readonly retry = RETRY;
  readonly targetTopics = new Set<string>();
  readonly seedBroker = undefined;
  private readonly leaders = new Map([
    [0, 1],
    [1, 2],
  ]);
  private failuresLeft = 1;

  /** B refuses its first request; with `movesTo`, partition 1 is led by that broker from then on. */
  constructor(private readonly movesTo: number | undefined) {}

  private readonly brokers = [1, 2].map((nodeId) => ({
    nodeId,
    produce: (request: ProduceRequest) => this.produce(nodeId, request),
  }));

  connect = (): Promise<void> => Promise.resolve();
  disconnect = (): Promise<void> => Promise.resolve();
  isConnected = (): boolean => true;
  addMultipleTargetTopics = (): Promise<void> => Promise.resolve();
  refreshMetadataIfNecessary = (): Promise<void> => Promise.resolve();

  refreshMetadata = (): Promise<void> => {
    if (this.movesTo !== undefined) this.leaders.set(1, this.movesTo);
    return Promise.resolve();
  };

  findTopicPartitionMetadata = () =>
    Array.from(this.leaders, ([partitionId, leader]) => ({
      partitionId,
      leader,
      partitionErrorCode: 0,
      replicas: [leader],
      isr: [leader],
    }));

  findLeaderForPartitions = (_: string, partitions: readonly string[]) => {
    const byLeader: Record<number, number[]> = {};
    for (const partition of partitions.map(Number)) {
      (byLeader[this.leaders.get(partition)!] ??= []).push(partition);
    }
    return byLeader;
  };

  findBroker = ({ nodeId }: { nodeId: string }) =>
    Promise.resolve(this.brokers.find((broker) => broker.nodeId === Number(nodeId)));

  private async produce(nodeId: number, { topicData }: ProduceRequest) {
    // The answers of two brokers never come in the same turn.
    await new Promise((resolve) => setImmediate(resolve));
    if (nodeId === 2 && this.failuresLeft > 0) {
      this.failuresLeft -= 1;
      throw createErrorFromCode(NOT_LEADER_FOR_PARTITION);
    }
    const topics = topicData.map(({ topic, partitions }) => ({
      topicName: topic,
      partitions: partitions.map(({ partition, messages }) => {
        for (const { value } of messages) this.log.push(String(value));
        return { partition, errorCode: 0, baseOffset: String(this.log.length - messages.length) };
      }),
    }));
    return { topics };
  }
}

const silence = (): undefined => undefined;
const logger = {
  namespace: () => logger,
  debug: silence,
  info: silence,
  warn: silence,
  error: silence,
};

const producerOver = (cluster: TwoBrokers, config: ProducerConfig = {}): Producer =>
  createProducer({ retry: RETRY, ...config, cluster, logger });

const clientOver = (cluster: TwoBrokers): ProducerClient => ({
  producer: (config) =>
    createProducer({
      ...config,
      retry: RETRY,
      cluster,
      logger,
    }),
  admin: () => ({
    connect: cluster.connect,
    disconnect: cluster.disconnect,
    fetchTopicMetadata: () =>
      Promise.resolve({
        topics: [{ name: TOPIC, partitions: cluster.findTopicPartitionMetadata() }],
      }),
  }),
});

/** Delivers through our queue and producer; resolves when every record has its outcome. */
async function deliverOurs(cluster: TwoBrokers, records: readonly Outgoing[]) {
  const clock = new SystemClock();
  const producer = new KafkajsProducer({
    topic: TOPIC,
    tuning: tuningOf('low-latency'),
    idempotent: false,
    createClient: () => clientOver(cluster),
    onPartitions: (partitions) => queue.partitionsKnown(partitions),
  });
  const queue = new ProducerQueue(producer, {
    ...tuningOf('low-latency'),
    maxRecordsPerSend: 2,
    maxBytesPerSend: 1_000_000,
    maxRecords: 100,
    ackTimeoutMs: 10_000,
    idempotent: false,
    breaker: new CircuitBreaker({
      openMs: 1,
      maxOpenMs: 1,
      failures: 20,
      ratio: 1,
      clock,
      random: Math.random,
    }),
    retryInMs: () => 1,
    clock,
    random: Math.random,
  });
  queue.start();
  const outcomes = await queue.deliver(records);
  await queue.stop();
  return outcomes?.map((outcome) => outcome.kind);
}

const outgoing = (value: string, key: string | null): Outgoing => ({
  recordId: value,
  key: key === null ? null : Buffer.from(key),
  value: Buffer.from(value),
  headers: undefined,
  attempt: 1,
});

/** Of two partitions, `abc` has number 1, `21` has number 0. */
const KEYS = ['21', 'abc'] as const;
const VALUES = ['a', 'b', 'c', 'd'] as const;

describe('a send of kafkajs over two brokers', () => {
  it('resolves and has lost records with explicit partitions, when one of its partitions moves (P5)', async () => {
    const cluster = new TwoBrokers(1);
    const producer = producerOver(cluster);
    await producer.connect();
    const messages = VALUES.map((value, index) => ({ value, partition: index % 2 }));
    await expect(producer.send({ topic: TOPIC, messages })).resolves.toHaveLength(1);
    expect(cluster.log).toEqual(['a', 'c']);
  });

  it('resolves and has lost and doubled records without a partition, when one broker fails once (P4)', async () => {
    const cluster = new TwoBrokers(undefined);
    const producer = producerOver(cluster);
    await producer.connect();
    const messages = ['a', 'b', 'c'].map((value) => ({ value }));
    await producer.send({ topic: TOPIC, messages });
    const written = new Set(cluster.log);
    expect(written.size).toBeLessThan(3);
    expect(cluster.log.length).toBeGreaterThan(written.size);
  });
});

describe('our sends of one partition each, over the same brokers', () => {
  it('deliver 4 of 4 when a partition moves (P5)', async () => {
    const cluster = new TwoBrokers(1);
    const records = VALUES.map((value, index) => outgoing(value, KEYS[index % 2]!));
    await expect(deliverOurs(cluster, records)).resolves.toEqual(VALUES.map(() => 'acknowledged'));
    expect(cluster.log.toSorted()).toEqual(VALUES);
  });

  it('deliver every keyless record once when one broker fails once (P4)', async () => {
    const cluster = new TwoBrokers(undefined);
    const records = VALUES.map((value) => outgoing(value, null));
    await expect(deliverOurs(cluster, records)).resolves.toEqual(VALUES.map(() => 'acknowledged'));
    expect(cluster.log.toSorted()).toEqual(VALUES);
  });
});
