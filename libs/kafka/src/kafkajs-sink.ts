import type { KafkaLogger } from './kafka-logger.js';
import type { KafkaSink } from './kafka-sink.js';
import { createKafka } from './kafka-clients.js';
import { type ConnectionSettings, producerProblems, refuse } from './kafka.options.js';
import { KafkajsProducer } from './kafkajs-producer.js';
import { ProducerQueue, type ProducerQueueOptions } from './producer-queue.js';
import type { ProducerTuning } from './profiles.js';

export interface KafkajsSinkOptions extends Pick<
  ProducerQueueOptions,
  'maxRecords' | 'ackTimeoutMs' | 'breaker' | 'retryInMs' | 'clock' | 'random'
> {
  readonly connection: ConnectionSettings;
  readonly topic: string;
  /** The codec of `compression` must have been registered. */
  readonly tuning: ProducerTuning;
  /** Default false: it costs all parallel sends (P6). */
  readonly idempotent?: boolean;
  readonly logger: KafkaLogger;
}

/** The sink on kafkajs: the bounded queue in front of a producer of its own. Throws a KafkaOptionsError. */
export function kafkajsSink(options: KafkajsSinkOptions): KafkaSink {
  const { connection, tuning, logger, idempotent = false } = options;
  refuse(producerProblems(tuning, options.ackTimeoutMs));
  const producer = new KafkajsProducer({
    topic: options.topic,
    tuning,
    idempotent,
    createClient: () => createKafka(connection, tuning.producerRequestTimeoutMs, logger),
    onPartitions: (partitions) => queue.partitionsKnown(partitions),
  });
  const queue = new ProducerQueue(producer, { ...tuning, ...options, idempotent });
  return queue;
}
