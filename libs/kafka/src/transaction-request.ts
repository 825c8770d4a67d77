import type { Clock, RandomSource } from '#libs/flow-control';
import type { Outgoing, SendFailure } from './kafka-sink.js';
import type { ProducerTuning } from './profiles.js';
import type { TransactionClient } from './transaction-client.js';

/** Where a group reads on once the transaction is committed. */
export interface TransactionOffsets {
  readonly groupId: string;
  /** The input's topic and partition. */
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: bigint;
}

/** A record that no broker takes. */
export interface RefusedRecord {
  readonly record: Outgoing;
  readonly failure: SendFailure;
}

export interface TransactionRequest {
  readonly records: readonly Outgoing[];
  readonly offsets: TransactionOffsets;
  /**
   * Called before the offsets are committed, when there are such records: their dead letters must be kept when it
   * resolves. When it rejects, nothing of the transaction happens.
   */
  readonly keepRefused: (refused: readonly RefusedRecord[]) => Promise<void>;
}

export interface TransactionsOptions {
  /** The output topic. */
  readonly topic: string;
  /** `acks` is not among what is used: a transaction always waits for all in-sync replicas. */
  readonly tuning: Pick<
    ProducerTuning,
    'compression' | 'maxRecordsPerSend' | 'producerRequestTimeoutMs' | 'retries'
  >;
  /** After this time without an owner the broker aborts what was left open. */
  readonly transactionTimeoutMs: number;
  /** Makes a new client: kafkajs keeps state on it. */
  readonly createClient: () => TransactionClient;
  readonly clock: Clock;
  readonly random: RandomSource;
}
