import kafkajs, {
  type Kafka as KafkaClient,
  type KafkaConfig,
  type LogEntry,
  type RetryOptions,
} from 'kafkajs';
import { patchFetchDecoding } from './fetch-decoding.js';
import type { ConsumerClient } from './consumer-client.js';
import type { KafkaLogger } from './kafka-logger.js';
import type { ConnectionSettings, KafkaSourceOptions, SourceTiming } from './kafka.options.js';
import { patchProduceEncoding } from './produce-encoding.js';
import { patchIdleTimers } from './timer-patch.js';

const { Kafka, logLevel } = kafkajs;

/** Of connecting and asking for metadata. Few: the supervisor tries again, with its own back-off. */
const CLIENT_RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 5000, retries: 3 };

/** `retries` are those after the first try. Explicit, since kafkajs has other defaults when NODE_ENV is test. */
const CONSUMER_RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 5000, retries: 8 };

const METHODS = {
  [logLevel.ERROR]: 'error',
  [logLevel.WARN]: 'warn',
  [logLevel.INFO]: 'info',
} as const;

const writer =
  (logger: KafkaLogger) =>
  ({ namespace, level, log: { message, ...details } }: LogEntry): void => {
    const method = METHODS[level as keyof typeof METHODS] ?? 'debug';
    logger[method](`kafkajs ${namespace}: ${message}`, details);
  };

/** The options of every client; WARN, because kafkajs writes an INFO line for each pause. */
export function clientConfig(
  connection: ConnectionSettings,
  requestTimeoutMs: number,
  logger: KafkaLogger,
): KafkaConfig {
  const { brokers, clientId, ssl, sasl } = connection;
  return {
    brokers: [...brokers],
    clientId,
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl }),
    requestTimeout: requestTimeoutMs,
    retry: CLIENT_RETRY,
    logLevel: logLevel.WARN,
    logCreator: () => writer(logger),
  };
}

/** One client each for a consumer and a producer: consumers that share one corrupt each other's committed offsets. */
export function createKafka(
  connection: ConnectionSettings,
  requestTimeoutMs: number,
  logger: KafkaLogger,
): KafkaClient {
  patchIdleTimers(logger);
  patchProduceEncoding(logger);
  patchFetchDecoding(logger);
  return new Kafka(clientConfig(connection, requestTimeoutMs, logger));
}

export function consumerConfig({
  groupId,
  tuning,
}: Pick<KafkaSourceOptions, 'groupId' | 'tuning'>) {
  return {
    groupId,
    sessionTimeout: tuning.sessionTimeoutMs,
    heartbeatInterval: tuning.heartbeatIntervalMs,
    rebalanceTimeout: tuning.rebalanceTimeoutMs,
    minBytes: tuning.minBytes,
    maxBytes: tuning.maxBytes,
    maxBytesPerPartition: tuning.maxBytesPerPartition,
    maxWaitTimeInMs: tuning.maxWaitTimeMs,
    readUncommitted: false,
    allowAutoTopicCreation: false,
    // Every crash is ours to repair: one way back, whatever kafkajs thinks of the error.
    retry: { ...CONSUMER_RETRY, restartOnFailure: () => Promise.resolve(false) },
  };
}

export function createConsumerClient(
  options: Pick<KafkaSourceOptions, 'connection' | 'groupId' | 'tuning' | 'logger'>,
  { requestTimeoutMs }: Pick<SourceTiming, 'requestTimeoutMs'>,
): ConsumerClient {
  const kafka = createKafka(options.connection, requestTimeoutMs, options.logger);
  return { consumer: kafka.consumer(consumerConfig(options)), admin: kafka.admin() };
}
