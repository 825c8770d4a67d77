import type { KafkaSink } from './kafka-sink.js';
import { KafkajsProducer, type KafkajsProducerOptions } from './kafkajs-producer.js';
import { ProducerQueue, type ProducerQueueOptions } from './producer-queue.js';

export type KafkajsSinkOptions = Omit<KafkajsProducerOptions, 'onPartitions'> &
  ProducerQueueOptions;

/** The sink on kafkajs: the bounded queue in front of a producer of its own. */
export function kafkajsSink(options: KafkajsSinkOptions): KafkaSink {
  const producer = new KafkajsProducer({
    ...options,
    onPartitions: (partitions) => queue.partitionsKnown(partitions),
  });
  const queue = new ProducerQueue(producer, options);
  return queue;
}
