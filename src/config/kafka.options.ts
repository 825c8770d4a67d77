import { COMPRESSIONS, KAFKA_PROFILES } from '#libs/kafka';
import { TOPIC_NAME } from '../pipeline/topic-name.js';
import {
  choice,
  flag,
  list,
  options,
  type OptionsOf,
  secret,
  text,
  wholeNumber,
} from './option.js';

const BROKER = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;

const TOPIC_RULE = 'a topic name (letters, digits, dots, dashes and underscores)';

/** Kafka's own limits of a topic. */
const MAX_REPLICAS = 32_767;

const CLEANUP_POLICIES = ['delete', 'compact', 'compact,delete'] as const;
export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

/** A value of the profile that may be set on its own. */
const tuned = (min: number, what: string) =>
  wholeNumber({ min }).optional().describe(`${what} Not set: by KAFKA_PROFILE.`);

/** What of a topic is checked when it exists, and used when it is made. */
const topicSetting = (topic: string, what: string, fallback: string) =>
  `${what} of ${topic}: checked when set; a topic that is made without it has ${fallback}.`;

export const kafkaOptions = options('KAFKA', {
  brokers: list({ item: BROKER, rule: 'host:port' })
    .optional()
    .describe('Where to find the cluster: host:port, separated by commas. Not set: no Kafka.'),
  clientId: text()
    .default('penstock')
    .describe('Name of this client in the logs, quotas and metrics of the brokers.'),
  groupId: text().default('penstock').describe('Consumer group of the source.'),
  inputTopics: list({ item: TOPIC_NAME, rule: TOPIC_RULE })
    .optional()
    .describe(
      "Topics to read records from, separated by commas. Not set: those of the pipeline's kafka(), if it has one.",
    ),
  outputTopic: text({ pattern: TOPIC_NAME, rule: TOPIC_RULE })
    .optional()
    .describe("Topic of the Kafka sink, unless the pipeline's kafkaSink names one."),
  start: choice(['earliest', 'latest'])
    .default('earliest')
    .describe(
      'Where an input topic begins when neither the group nor the books have a position of it; used once.',
    ),
  maxRecordsPerSecond: wholeNumber({ min: 0 })
    .default(0)
    .describe('Records that the source takes in a second, all partitions together. 0: no limit.'),

  deliveryGuarantee: choice(['at-least-once', 'exactly-once'])
    .default('at-least-once')
    .describe(
      'exactly-once: records and offsets of an input partition are one transaction. Needs Kafka as the only source and the only sink; readers of the output must be read_committed.',
    ),
  transactionTimeoutMs: wholeNumber({ min: 1000 })
    .default(900_000)
    .describe(
      'After this time without an owner the broker aborts a transaction that was left open, in ms; at most its transaction.max.timeout.ms.',
    ),

  profile: choice(KAFKA_PROFILES)
    .default('balanced')
    .describe(
      'Sets the values of producer and consumer together. standard and high-throughput hold a lone record back for up to a second.',
    ),
  batchBytes: tuned(1, 'Bytes at which a send to one partition is due.'),
  lingerMs: tuned(0, 'Longest time that records wait for a send to be due, in ms.'),
  bufferBytes: tuned(1, 'Bytes of all records in the producer, those being sent included.'),
  compression: choice(COMPRESSIONS)
    .optional()
    .describe(
      'Codec of what is sent; lz4 and zstd are optional packages. Not set: by KAFKA_PROFILE.',
    ),
  retries: tuned(0, 'Tries of a send after its first one, within one attempt of FinalSink.'),
  maxInFlightRequests: tuned(1, 'Requests of the producer under way to one broker.'),
  maxRecordsPerSend: tuned(1, 'Records of one send.'),
  maxBytesPerSend: tuned(1, 'Bytes of one send, when more than KAFKA_BATCH_BYTES wait.'),
  producerRequestTimeoutMs: tuned(1, 'How long a broker may take to answer the producer, in ms.'),
  minBytes: tuned(1, 'Bytes that the broker waits for before it answers a fetch.'),
  maxWaitTimeMs: tuned(1, 'Longest time that the broker waits for them, in ms.'),
  maxBytesPerPartition: tuned(1, 'Bytes of one partition in the answer to a fetch.'),
  maxBytes: tuned(1, 'Bytes of the answer to a fetch.'),
  maxRecordsPerTurn: tuned(1, 'Records of a partition that are handed over in one go.'),
  sessionTimeoutMs: tuned(1, 'A member silent for this long loses its partitions, in ms.'),
  heartbeatIntervalMs: tuned(1, 'Time between two heartbeats, in ms.'),
  rebalanceTimeoutMs: tuned(1, 'How long members may take to rejoin the group, in ms.'),

  ssl: choice(['off', 'require', 'verify-full'])
    .default('off')
    .describe('TLS to the brokers: off, require (encrypted, broker not verified), verify-full.'),
  sslCa: text()
    .optional()
    .describe("Path of the CA certificate (PEM) for verify-full; not set: Node's own list."),
  sslCert: text().optional().describe('Path of the certificate (PEM) that the brokers ask for.'),
  sslKey: text().optional().describe('Path of the private key (PEM) of KAFKA_SSL_CERT.'),
  saslMechanism: choice(SASL_MECHANISMS)
    .optional()
    .describe('How to log in, with KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD. Not set: not.'),
  saslUsername: text().optional().describe('User name at the brokers.'),
  saslPassword: secret().optional().describe('Password at the brokers.'),

  createTopics: flag()
    .default(true)
    .describe('Makes input and output topics that are missing. Off: a missing one is a mismatch.'),
  inputPartitions: wholeNumber({ min: 1 })
    .optional()
    .describe(topicSetting('the input topics', 'Partitions', '8')),
  inputReplicationFactor: wholeNumber({ min: 1, max: MAX_REPLICAS })
    .optional()
    .describe(topicSetting('the input topics', 'Replicas', '3, or as many as there are brokers')),
  inputRetentionMs: wholeNumber({ min: -1 })
    .optional()
    .describe(topicSetting('the input topics', 'Retention in ms (-1: for ever)', '604800000')),
  inputMinInsyncReplicas: wholeNumber({ min: 1, max: MAX_REPLICAS })
    .optional()
    .describe(topicSetting('the input topics', 'min.insync.replicas', '2, or less than replicas')),
  inputCleanupPolicy: choice(CLEANUP_POLICIES)
    .optional()
    .describe(topicSetting('the input topics', 'cleanup.policy', 'delete')),
  outputPartitions: wholeNumber({ min: 1 })
    .optional()
    .describe(topicSetting('the output topic', 'Partitions', '4')),
  outputReplicationFactor: wholeNumber({ min: 1, max: MAX_REPLICAS })
    .optional()
    .describe(topicSetting('the output topic', 'Replicas', '3, or as many as there are brokers')),
  outputRetentionMs: wholeNumber({ min: -1 })
    .optional()
    .describe(topicSetting('the output topic', 'Retention in ms (-1: for ever)', '2592000000')),
  outputMinInsyncReplicas: wholeNumber({ min: 1, max: MAX_REPLICAS })
    .optional()
    .describe(topicSetting('the output topic', 'min.insync.replicas', '2, or less than replicas')),
  outputCleanupPolicy: choice(CLEANUP_POLICIES)
    .optional()
    .describe(topicSetting('the output topic', 'cleanup.policy', 'delete')),
});
export type KafkaOptions = OptionsOf<typeof kafkaOptions>;
