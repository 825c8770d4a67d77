import type { Compression } from './compression.js';

export const KAFKA_PROFILES = ['balanced', 'standard', 'high-throughput', 'low-latency'] as const;
export type KafkaProfile = (typeof KAFKA_PROFILES)[number];

/** What a profile sets for the consumer; Java's names in comments where they differ. */
export interface ConsumerTuning {
  /** `fetch.min.bytes` */
  readonly minBytes: number;
  /** `fetch.max.wait.ms` */
  readonly maxWaitTimeMs: number;
  /** `max.partition.fetch.bytes` */
  readonly maxBytesPerPartition: number;
  readonly maxBytes: number;
  /** `max.poll.records` */
  readonly maxRecordsPerTurn: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
}

/** What a profile sets for the producer. */
export interface ProducerTuning {
  /** `batch.size`, per partition: a send is due at this many bytes. */
  readonly batchBytes: number;
  readonly lingerMs: number;
  /** `buffer.memory` */
  readonly bufferBytes: number;
  readonly compression: Compression;
  /** -1 = all in-sync replicas. */
  readonly acks: number;
  /** After the first try. */
  readonly retries: number;
  /** Per broker; a partition never has more than one send under way. */
  readonly maxInFlightRequests: number;
  readonly maxRecordsPerSend: number;
  /** What has gathered while the send before was out goes together, up to this (docs/adr/0023). */
  readonly maxBytesPerSend: number;
  /** Of the producer's client. */
  readonly producerRequestTimeoutMs: number;
}

export type KafkaTuning = ConsumerTuning & ProducerTuning;

const KIB = 1024;
const MIB = 1_048_576;

const standard: KafkaTuning = {
  batchBytes: 16 * KIB,
  lingerMs: 5,
  bufferBytes: 32 * MIB,
  compression: 'snappy',
  acks: -1,
  retries: 3,
  maxInFlightRequests: 1,
  // Grouping is quadratic in kafkajs: 1 000 take 2.7 ms, 5 000 take 46.
  maxRecordsPerSend: 1000,
  // Brokers take 1 MiB unless told otherwise; above 100 KiB there is nothing left to gain.
  maxBytesPerSend: 128 * KIB,
  producerRequestTimeoutMs: 2000,
  minBytes: MIB,
  maxWaitTimeMs: 500,
  maxBytesPerPartition: 2 * MIB,
  maxBytes: 10 * MIB,
  maxRecordsPerTurn: 500,
  sessionTimeoutMs: 30_000,
  heartbeatIntervalMs: 3000,
  rebalanceTimeoutMs: 60_000,
};

/** Each profile in full. `standard` and `high-throughput` hold a lone record back in the broker, up to `maxWaitTimeMs`. */
export const PROFILE_TUNING: Readonly<Record<KafkaProfile, KafkaTuning>> = {
  standard,
  balanced: { ...standard, compression: 'none', minBytes: 1 },
  'high-throughput': {
    ...standard,
    batchBytes: 64 * KIB,
    lingerMs: 10,
    bufferBytes: 64 * MIB,
    maxInFlightRequests: 5,
    minBytes: 2 * MIB,
    maxWaitTimeMs: 1000,
    maxRecordsPerTurn: 1000,
  },
  'low-latency': {
    ...standard,
    batchBytes: KIB,
    lingerMs: 0,
    compression: 'none',
    maxInFlightRequests: 5,
    maxRecordsPerSend: 100,
    minBytes: 1,
    maxWaitTimeMs: 10,
    maxRecordsPerTurn: 100,
  },
};

/** The profile's values with the overrides that were given. */
export function tuningOf(
  profile: KafkaProfile,
  overrides: Readonly<Partial<KafkaTuning>> = {},
): KafkaTuning {
  const given = Object.fromEntries(
    Object.entries(overrides).filter(([, value]) => value !== undefined),
  );
  return Object.freeze({ ...PROFILE_TUNING[profile], ...given });
}
