import {
  type Admin,
  type ICustomPartitioner,
  Partitioners,
  type Producer,
  type ProducerConfig,
  type RetryOptions,
} from 'kafkajs';
import { compressionType } from './compression.js';
import { PartitionNotAnsweredError } from './errors/partition-not-answered.error.js';
import type { Outgoing } from './kafka-sink.js';
import { OnePartitionMessages } from './one-partition-messages.js';
import { baseOffsetOf, messageOf } from './outgoing-message.js';
import type { PartitionProducer } from './partition-producer.js';
import type { ProducerTuning } from './profiles.js';
import { isUnknownTopic } from './send-failure.js';

type KafkajsProducerHandle = Pick<Producer, 'connect' | 'disconnect' | 'send'>;

/** What is used of a client of kafkajs. */
export interface ProducerClient {
  producer(config: ProducerConfig): KafkajsProducerHandle;
  admin(): Pick<Admin, 'connect' | 'disconnect' | 'fetchTopicMetadata'>;
}

export interface KafkajsProducerOptions {
  /** Makes a new client: kafkajs keeps state on it, so that no two producers may share one (C19). */
  readonly createClient: () => ProducerClient;
  readonly topic: string;
  readonly tuning: ProducerTuning;
  readonly idempotent: boolean;
  /** Told the number of the topic's partitions when it is first known and when it changes. */
  readonly onPartitions: (partitions: number) => void;
}

interface Connection {
  readonly producer: KafkajsProducerHandle;
  sendsOut: number;
  isDiscarded: boolean;
}

/** Back-off between the tries of one send: at most 120 + 288 + 691 ms, with the jitter of 0.2. */
export const SEND_RETRY = {
  initialRetryTime: 100,
  maxRetryTime: 5000,
  factor: 0.2,
  multiplier: 2,
} as const satisfies RetryOptions;

/** What every request of a producer says besides its records. */
export const sendSettings = (tuning: ProducerTuning) => ({
  acks: tuning.acks,
  compression: compressionType(tuning.compression),
  timeout: tuning.producerRequestTimeoutMs,
});

/**
 * One topic's producer on kafkajs 2.2.4.
 *
 * A send carries one partition, and its answer must name it (P4, P5). A producer whose topic was deleted never recovers
 * (P8), and an idempotent one gives the numbers of an unanswered batch to the next (P6): both are replaced by a new one
 * on a new client. The old one is disconnected when its last send has settled.
 */
export class KafkajsProducer implements PartitionProducer {
  private connection: Promise<Connection> | undefined;
  private isClosed = false;
  private partitions = 0;
  /** Of the newest client; what an older one knows about the topic is out of date. */
  private generation = 0;

  constructor(private readonly options: KafkajsProducerOptions) {}

  async connect(): Promise<void> {
    await this.connected();
  }

  async send(
    partition: number,
    records: readonly Outgoing[],
    failedSends: number,
  ): Promise<bigint> {
    const { topic, idempotent } = this.options;
    const connection = await this.connected();
    connection.sendsOut += 1;
    try {
      const messages = OnePartitionMessages.take(
        records.map((record) => messageOf(record, partition, failedSends)),
      );
      const request = { topic, messages, ...sendSettings(this.options.tuning) };
      return baseOffsetOf(await connection.producer.send(request), topic, partition);
    } catch (error) {
      if (idempotent || isUnknownTopic(error) || error instanceof PartitionNotAnsweredError) {
        this.discard(connection);
      }
      throw error;
    } finally {
      connection.sendsOut -= 1;
      this.endDiscarded(connection);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const connection = await this.connection?.catch(() => undefined);
    this.connection = undefined;
    await connection?.producer.disconnect();
  }

  private connected(): Promise<Connection> {
    if (this.isClosed) return Promise.reject(new Error('the producer was stopped'));
    if (this.connection !== undefined) return this.connection;
    const opening = this.open();
    this.connection = opening;
    // The next send tries again; this one hears of it through `opening`.
    opening.catch(() => {
      if (this.connection === opening) this.connection = undefined;
    });
    return opening;
  }

  private async open(): Promise<Connection> {
    const { createClient, idempotent, tuning } = this.options;
    const client = createClient();
    const producer = client.producer({
      idempotent,
      maxInFlightRequests: tuning.maxInFlightRequests,
      retry: { ...SEND_RETRY, retries: tuning.retries },
      allowAutoTopicCreation: false,
      createPartitioner: this.observingPartitioner(),
    });
    try {
      await producer.connect();
      this.learn(await this.partitionsOf(client));
    } catch (error) {
      await producer.disconnect();
      throw error;
    }
    return { producer, sendsOut: 0, isDiscarded: false };
  }

  private async partitionsOf(client: ProducerClient): Promise<number> {
    const { topic } = this.options;
    const admin = client.admin();
    await admin.connect();
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]?.partitions.length ?? 0;
    } finally {
      await admin.disconnect();
    }
  }

  /** Every send shows the partitions of the producer's own metadata, so that new ones are noticed without a request. */
  private observingPartitioner(): ICustomPartitioner {
    this.generation += 1;
    const { generation } = this;
    return () => {
      const place = Partitioners.DefaultPartitioner();
      return (args) => {
        if (generation === this.generation) this.learn(args.partitionMetadata.length);
        return place(args);
      };
    };
  }

  private learn(partitions: number): void {
    if (partitions === this.partitions || partitions === 0) return;
    this.partitions = partitions;
    this.options.onPartitions(partitions);
  }

  private discard(connection: Connection): void {
    if (connection.isDiscarded) return;
    connection.isDiscarded = true;
    this.connection = undefined;
  }

  private endDiscarded({ producer, isDiscarded, sendsOut }: Connection): void {
    if (!isDiscarded || sendsOut > 0) return;
    // It has nothing to do any more; a connection that doesn't close in order is closed by the broker.
    producer.disconnect().catch(() => undefined);
  }
}
