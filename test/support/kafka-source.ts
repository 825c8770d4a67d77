import { SystemClock } from '#libs/flow-control';
import {
  CreditConsumer,
  type KafkaLogger,
  type KafkaSourceOptions,
  type KafkaTuning,
  tuningOf,
} from '#libs/kafka';
import kafkajs, { type ConsumerRunConfig, type KafkaConfig } from 'kafkajs';
import type { ConsumerClient } from '../../libs/kafka/src/consumer-client.js';
import { clientConfig, consumerConfig } from '../../libs/kafka/src/kafka-clients.js';
import { testBrokers, uniqueName } from './kafka.js';

export interface LogLine {
  readonly level: keyof KafkaLogger;
  readonly message: string;
}

/** A logger that keeps its lines. */
export function keptLog(): { lines: LogLine[]; logger: KafkaLogger } {
  const lines: LogLine[] = [];
  const at = (level: keyof KafkaLogger) => (message: string) => void lines.push({ level, message });
  return {
    lines,
    logger: { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') },
  };
}

export const quietLogger: KafkaLogger = keptLog().logger;

/** Options of a source on the run's broker; quick in everything a test may wait for. */
export function sourceOptions(
  topics: readonly string[],
  options: Partial<KafkaSourceOptions> = {},
  tuning: Partial<KafkaTuning> = {},
): KafkaSourceOptions {
  return {
    connection: { brokers: testBrokers(), clientId: 'penstock-test' },
    groupId: uniqueName('group'),
    topics,
    tuning: tuningOf('low-latency', { maxWaitTimeMs: 50, ...tuning }),
    pipelineRecords: 10_000,
    clock: new SystemClock(),
    random: Math.random,
    logger: quietLogger,
    ...options,
  };
}

export const createSource = (...args: Parameters<typeof sourceOptions>): CreditConsumer =>
  new CreditConsumer(sourceOptions(...args));

/** Clients whose consumer crashes at the next fetched batch after `arm`, in the way kafkajs takes for beyond repair. */
export function explosive(settings: Partial<KafkaConfig> = {}): {
  arm(): void;
  createClient(): ConsumerClient;
} {
  let isArmed = false;
  const options = sourceOptions([]);
  const groupId = uniqueName('group');
  return {
    arm: () => {
      isArmed = true;
    },
    createClient: () => {
      const client = createTestClient({ ...options, groupId }, settings);
      const { consumer } = client;
      const run = (config: ConsumerRunConfig = {}): Promise<void> =>
        consumer.run({
          ...config,
          eachBatch: async (payload) => {
            if (!isArmed) return config.eachBatch?.(payload);
            isArmed = false;
            throw new TypeError('made by the test');
          },
        });
      return { admin: client.admin, consumer: Object.assign(Object.create(consumer), { run }) };
    },
  };
}

/** A source's client with other settings of kafkajs, as a way through a proxy. */
export function createTestClient(
  options: Pick<KafkaSourceOptions, 'connection' | 'groupId' | 'tuning'>,
  settings: Partial<KafkaConfig>,
): ConsumerClient {
  const { connection, groupId, tuning } = options;
  const config = { ...clientConfig(connection, 10_000, quietLogger), ...settings };
  const kafka = new kafkajs.Kafka(config);
  return { consumer: kafka.consumer(consumerConfig({ groupId, tuning })), admin: kafka.admin() };
}
