import {
  type Admin,
  Kafka,
  type KafkaConfig,
  type Producer,
  type ProducerConfig,
  type RetryOptions,
} from 'kafkajs';
import type { KafkaLogger } from './kafka-logger.js';
import { patchOffsetFetch } from './stable-offset-fetch.js';

/** What is used of a client of kafkajs. */
export interface TransactionClient {
  producer(config: ProducerConfig): Pick<Producer, 'connect' | 'disconnect' | 'transaction'>;
  admin(): Pick<Admin, 'connect' | 'disconnect' | 'fetchTopicMetadata' | 'fetchOffsets'>;
}

/**
 * Also of the wait for the end of the transaction before (CONCURRENT_TRANSACTIONS), which takes a few milliseconds:
 * with the 300 ms that kafkajs waits by default, transactions crawl (P7). 11 tries last about 5 s.
 */
export const TRANSACTION_RETRY = {
  initialRetryTime: 30,
  maxRetryTime: 1000,
  factor: 0.2,
  multiplier: 2,
  retries: 10,
} as const satisfies RetryOptions;

/** A client for one transactional producer. */
export function createTransactionClient(
  config: KafkaConfig,
  logger: Pick<KafkaLogger, 'warn'>,
): TransactionClient {
  patchOffsetFetch(logger);
  return new Kafka({ ...config, retry: TRANSACTION_RETRY });
}
