import { randomUUID } from 'node:crypto';
import kafkajs, {
  type IHeaders,
  type Kafka as KafkaClient,
  type KafkaConfig,
  type Producer,
} from 'kafkajs';
import { until } from './until.js';

const { Kafka, logLevel, Partitioners } = kafkajs;

/** The brokers of this run. Throws the global set-up's sentence when there are none: a Kafka test never skips. */
export function testBrokers(): string[] {
  const { TEST_KAFKA_BROKERS, TEST_KAFKA_PROBLEM } = process.env;
  if (TEST_KAFKA_BROKERS) return TEST_KAFKA_BROKERS.split(',');
  throw new Error(TEST_KAFKA_PROBLEM ?? 'The global set-up did not look for a Kafka broker.');
}

/** A name of a topic or group that no other test uses. */
export const uniqueName = (what: string): string => `test-${randomUUID()}-${what}`;

export interface TestMessage {
  readonly partition?: number;
  readonly key?: string | null;
  readonly value: string | Buffer | null;
  readonly headers?: IHeaders;
}

/** A record of a topic, as text. */
export interface ReadRecord {
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly value: string | null;
  /** Of a record that Penstock has written. */
  readonly recordId: string | undefined;
}

/** Topics, producers and readers of a test, on the run's broker. Close it at the end. */
export class TestKafka {
  private readonly kafka: KafkaClient;
  readonly admin: ReturnType<KafkaClient['admin']>;
  private readonly producer: Producer;

  private constructor(settings: Partial<KafkaConfig>) {
    this.kafka = new Kafka({
      brokers: testBrokers(),
      clientId: 'test',
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, retries: 10 },
      ...settings,
    });
    this.admin = this.kafka.admin();
    this.producer = this.kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
  }

  /** `settings`: of kafkajs, as a way through a proxy. */
  static async connect(settings: Partial<KafkaConfig> = {}): Promise<TestKafka> {
    const test = new TestKafka(settings);
    await Promise.all([test.admin.connect(), test.producer.connect()]);
    return test;
  }

  async close(): Promise<void> {
    await Promise.all([this.admin.disconnect(), this.producer.disconnect()]);
  }

  /** Makes a topic, by default of a new name, and returns its name. */
  async createTopic(
    partitions: number,
    options: { name?: string; config?: Readonly<Record<string, string>> } = {},
  ): Promise<string> {
    const { name = uniqueName('topic'), config = {} } = options;
    const configEntries = Object.entries(config).map(([key, value]) => ({ name: key, value }));
    const make = (): Promise<boolean> =>
      this.admin
        .createTopics({
          waitForLeaders: true,
          topics: [{ topic: name, numPartitions: partitions, replicationFactor: 1, configEntries }],
        })
        // A topic of that name is still being deleted.
        .catch(() => false);
    // A try that was not answered in time may have made it; a name of ours can't be one that is being deleted.
    const isThere = async (): Promise<boolean> =>
      options.name === undefined && (await this.admin.listTopics()).includes(name);
    await until(async () => (await make()) || (await isThere()), { what: `the topic ${name}` });
    return name;
  }

  async deleteTopic(name: string): Promise<void> {
    await this.admin.deleteTopics({ topics: [name] });
    await until(async () => !(await this.admin.listTopics()).includes(name), {
      what: `the end of topic ${name}`,
    });
  }

  /** Deletes the records below `offset`, as retention does. */
  async deleteRecords(topic: string, partition: number, offset: string): Promise<void> {
    // Makes the client load the topic's metadata, which the next call needs.
    await this.admin.fetchTopicOffsets(topic);
    await this.admin.deleteTopicRecords({ topic, partitions: [{ partition, offset }] });
  }

  async produce(
    topic: string,
    messages: readonly TestMessage[],
    compression = kafkajs.CompressionTypes.None,
  ): Promise<void> {
    const CHUNK = 500;
    for (let i = 0; i < messages.length; i += CHUNK) {
      await this.producer.send({ topic, messages: messages.slice(i, i + CHUNK), compression });
    }
  }

  /** One transaction of one batch; it leaves a marker behind, whatever its end. */
  async inTransaction(
    topic: string,
    messages: readonly TestMessage[],
    end: 'commit' | 'abort' = 'commit',
  ): Promise<void> {
    const producer = this.kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      transactionalId: uniqueName('transaction'),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    try {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [...messages] });
      await transaction[end]();
    } finally {
      await producer.disconnect();
    }
  }

  /** `count` records in each of the partitions 0 to `partitions` − 1; values are `partition-index`. */
  async fill(topic: string, partitions: number, count: number): Promise<void> {
    const messages = Array.from({ length: count * partitions }, (_, i) => ({
      partition: i % partitions,
      value: `${i % partitions}-${Math.floor(i / partitions)}`,
    }));
    await this.produce(topic, messages);
  }

  /** The group's offset of each partition; -1 = none. */
  async committed(groupId: string, topic: string): Promise<number[]> {
    const [answer] = await this.admin.fetchOffsets({ groupId, topics: [topic] });
    return (answer?.partitions ?? [])
      .toSorted((a, b) => a.partition - b.partition)
      .map(({ offset }) => Number(offset));
  }

  /**
   * `readAll`, once there are so many records: the broker writes the markers of a transaction, which its records become
   * readable by, a moment after it has answered the commit.
   */
  readCommitted(topic: string, count: number): Promise<ReadRecord[]> {
    return until(
      async () => {
        const read = await this.readAll(topic);
        return read.length >= count ? read : undefined;
      },
      { what: `${count} committed records` },
    );
  }

  /** Reads a topic from its beginning to its present end, in the order of each partition. */
  async readAll(topic: string): Promise<ReadRecord[]> {
    const ends = await this.admin.fetchTopicOffsets(topic);
    const missing = new Map(
      ends
        .filter(({ low, high }) => BigInt(high) > BigInt(low))
        .map(({ partition, high }) => [partition, BigInt(high)]),
    );
    const read: ReadRecord[] = [];
    const consumer = this.kafka.consumer({ groupId: uniqueName('reader'), maxWaitTimeInMs: 50 });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatch: ({ batch }) => {
          for (const { offset, key, value, headers } of batch.messages) {
            const text = { key: key && key.toString(), value: value && value.toString() };
            const recordId = headers?.['penstock-record-id']?.toString();
            read.push({ partition: batch.partition, offset, ...text, recordId });
          }
          const end = missing.get(batch.partition);
          if (end !== undefined && BigInt(batch.lastOffset()) + 1n >= end) {
            missing.delete(batch.partition);
          }
          return Promise.resolve();
        },
      });
      await until(() => missing.size === 0, { what: `the end of ${topic}` });
    } finally {
      await consumer.disconnect();
    }
    return read;
  }
}
