import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import kafkajs, { type Message } from 'kafkajs';
import type { Broker } from '../../support/kafka-broker.mjs';
import { until } from '../../support/until.js';
import { recordsOf } from '../rest/orders.js';
import { PARTITIONS } from './job.js';

const { Kafka, logLevel, Partitioners } = kafkajs;

const RECORDS_PER_SEND = 1000;
const LED_WITHIN_MS = 30_000;

type Client = InstanceType<typeof Kafka>;

/** A broker of its own for the bench, and what the bench does on it. */
export class BenchCluster {
  private constructor(
    private readonly broker: Broker,
    private readonly admin: ReturnType<Client['admin']>,
    private readonly producer: ReturnType<Client['producer']>,
  ) {}

  static async start(): Promise<BenchCluster> {
    const broker = await startBroker();
    const kafka = new Kafka({
      brokers: [broker.brokers],
      clientId: 'bench',
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, retries: 20 },
    });
    const createPartitioner = Partitioners.DefaultPartitioner;
    const [admin, producer] = [kafka.admin(), kafka.producer({ createPartitioner })];
    await Promise.all([admin.connect(), producer.connect()]);
    return new BenchCluster(broker, admin, producer);
  }

  get brokers(): string {
    return this.broker.brokers;
  }

  get pid(): number {
    return this.broker.pid;
  }

  async createTopic(topic: string): Promise<void> {
    await this.admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic, numPartitions: PARTITIONS, replicationFactor: 1 }],
    });
    // A leader that has just been elected refuses its first requests.
    const isLed = (): Promise<boolean> =>
      this.count(topic).then(
        () => true,
        () => false,
      );
    await until(isLed, { deadlineMs: LED_WITHIN_MS, what: `leaders of ${topic}` });
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.admin.deleteTopics({ topics: [topic] });
  }

  /** Makes the topic and writes `count` orders of about 300 bytes, their customer as key. */
  async fill(topic: string, count: number): Promise<void> {
    await this.createTopic(topic);
    for (let from = 0; from < count; from += RECORDS_PER_SEND) {
      const messages: Message[] = recordsOf(from, Math.min(RECORDS_PER_SEND, count - from)).map(
        (payload) => ({ key: payload.customerId, value: JSON.stringify(payload) }),
      );
      await this.producer.send({ topic, messages });
    }
  }

  /** Records of the topic. */
  async count(topic: string): Promise<number> {
    const partitions = await this.admin.fetchTopicOffsets(topic);
    return partitions.reduce((sum, { high }) => sum + Number(high), 0);
  }

  async stop(): Promise<void> {
    await Promise.all([this.admin.disconnect(), this.producer.disconnect()]);
    await this.broker.stop();
  }
}

/** From its source: the compiler leaves .mjs files out of the build. */
async function startBroker(): Promise<Broker> {
  const file = join(process.cwd(), 'test', 'support', 'kafka-broker.mjs');
  const { createBroker } = (await import(
    pathToFileURL(file).href
  )) as typeof import('../../support/kafka-broker.mjs');
  return createBroker();
}
