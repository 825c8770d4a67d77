// Taking records from Kafka: the port, and its books
export {
  type BookedPartition,
  type BookedSource,
  type BookEntry,
  KafkaBooks,
  KafkaSource,
  type KafkaSourceSnapshot,
  type OrderedCompletion,
  type PartitionLag,
  type PartitionSnapshot,
  type PartitionStart,
  type SliceCompletion,
  type SourceGrant,
  type SourceHandler,
  type SourceRecord,
  type SourceSlice,
} from './kafka-source.js';
export type { SourceCounters } from './source-counters.js';
export {
  type AssignmentChange,
  type CommittedAhead,
  type KafkaSourceEventMap,
  KafkaSourceEvents,
  type NewIncarnation,
  type OffsetReset,
  type SourceState,
  type StateChange,
} from './source-events.js';

// The source on kafkajs
export { CreditConsumer } from './credit-consumer.js';
export { OffsetWatermark, WATERMARK_SPAN, type WatermarkStart } from './offset-watermark.js';

// Settings
export {
  type ConnectionSettings,
  consumerProblems,
  fetchSizeProblems,
  KafkaOptionsError,
  type KafkaSourceOptions,
  longestSendMs,
  producerProblems,
  refuse,
  type SaslOptions,
  SOURCE_TIMING,
  type SourceTiming,
} from './kafka.options.js';
export {
  type ConsumerTuning,
  KAFKA_PROFILES,
  type KafkaProfile,
  type KafkaTuning,
  type ProducerTuning,
  PROFILE_TUNING,
  tuningOf,
} from './profiles.js';
export {
  type Compression,
  COMPRESSIONS,
  type CompressionOptions,
  compressionType,
  registerCodecs,
} from './compression.js';
export { missingCodec } from './optional-codecs.js';

// Topics
export {
  ensureTopics,
  TOPIC_DEFAULTS,
  type TopicMismatch,
  TopicMismatchError,
  type TopicRole,
  type TopicSettings,
  type TopicSpec,
} from './topics.js';
export { TopicCheck, type TopicCheckOptions, type TopicCheckState } from './topic-check.js';

// Clients of kafkajs
export { clientConfig, createKafka } from './kafka-clients.js';
export type { KafkaLogger } from './kafka-logger.js';
export { patchFetchDecoding } from './fetch-decoding.js';
export { patchIdleTimers } from './timer-patch.js';

// Delivering records to Kafka: the port
export {
  KafkaSink,
  type KafkaSinkSnapshot,
  type Outgoing,
  type SendFailure,
  type SendOutcome,
} from './kafka-sink.js';

// The sink on kafkajs
export { kafkajsSink, type KafkajsSinkOptions } from './kafkajs-sink.js';
export type { FailedSend } from './producer-lane.js';

// Exactly once: records and the offset they came from in one transaction
export { createTransactionClient, type TransactionClient } from './transaction-client.js';
export type {
  OutputPlace,
  RefusedRecord,
  TransactionRecord,
  TransactionRequest,
  TransactionResult,
  TransactionsOptions,
} from './transaction-request.js';
export type { TransactionalOffsets } from './transactional-offsets.js';
export { Transactions } from './transactions.js';
