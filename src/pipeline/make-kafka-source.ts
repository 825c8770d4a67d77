import { CreditConsumer, type KafkaSource, registerCodecs, type Transactions } from '#libs/kafka';
import type { AppOptions } from '../config/app-options.js';
import { kafkaSourceOptionsOf } from '../config/kafka-settings.js';
import { kafkaLogger } from '../logging/kafka-logger.js';
import type { StageRuntime } from './stage-runtime.js';

/** Limits of a fetch count compressed bytes, and a batch can expand. */
export const MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024;

/** The source of KAFKA_INPUT_TOPICS, not started; undefined when there are none. */
export function makeKafkaSource(
  options: AppOptions,
  { clock, random }: StageRuntime,
  transactions?: Transactions,
): KafkaSource | undefined {
  if (options.kafka.inputTopics === undefined) return undefined;
  registerCodecs({ maxDecompressedBytes: MAX_DECOMPRESSED_BYTES });
  return new CreditConsumer(
    kafkaSourceOptionsOf(options, {
      clock,
      random,
      logger: kafkaLogger('KafkaSource'),
      ...(transactions && { transactions }),
    }),
  );
}
