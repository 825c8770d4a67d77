import type { Clock, RandomSource } from '#libs/flow-control';
import type { Outgoing, SendFailure } from './kafka-sink.js';
import type { ProducerTuning } from './profiles.js';
import type { TransactionClient } from './transaction-client.js';

/** A record of the input, on its way to the output. */
export interface TransactionRecord extends Outgoing {
  /** Where it stands in the input partition. */
  readonly offset: bigint;
}

export interface TransactionRequest {
  /** The input's topic and partition. */
  readonly topic: string;
  readonly partition: number;
  /** In the order of their offsets. */
  readonly records: readonly TransactionRecord[];
  /**
   * Where the group reads on once the transaction is committed. Every record of the input below it is among `records`, or
   * has ended.
   */
  readonly nextOffset: bigint;
}

/** Where a record was written. */
export interface OutputPlace {
  readonly partition: number;
  readonly offset: bigint;
}

export interface RefusedRecord {
  readonly record: TransactionRecord;
  readonly failure: SendFailure;
}

export type TransactionResult =
  | {
      readonly kind: 'committed';
      /** One for each record; undefined for one that an earlier transaction has delivered already. */
      readonly places: readonly (OutputPlace | undefined)[];
    }
  /** No broker takes these records, so nothing of the transaction has happened. The others can be given again. */
  | { readonly kind: 'refused'; readonly refused: readonly RefusedRecord[] }
  /** All of it can be given again: that finds out by itself whether a commit without an answer has happened. */
  | { readonly kind: 'failed'; readonly failure: SendFailure };

export interface TransactionsOptions {
  readonly groupId: string;
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
