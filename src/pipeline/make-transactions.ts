import {
  clientConfig,
  createTransactionClient,
  registerCodecs,
  SOURCE_TIMING,
  Transactions,
} from '#libs/kafka';
import type { AppOptions } from '../config/app-options.js';
import { isExactlyOnce } from '../config/exactly-once.js';
import { kafkaConnectionOf, kafkaTuningOf } from '../config/kafka-settings.js';
import { sinksOf } from '../config/sinks-of.js';
import { kafkaLogger } from '../logging/kafka-logger.js';
import type { AnyPipelineDefinition } from './definition.js';
import { MAX_DECOMPRESSED_BYTES } from './make-kafka-source.js';
import type { StageRuntime } from './stage-runtime.js';

/**
 * What source and sink share in exactly-once mode: the records of an input partition and the group's offset move
 * together. Undefined in the other mode.
 */
export function makeTransactions(
  options: AppOptions,
  { clock, random }: StageRuntime,
  definition: AnyPipelineDefinition,
): Transactions | undefined {
  if (!isExactlyOnce(options)) return undefined;
  const { kafka } = options;
  const [sink] = sinksOf(definition, options);
  const topic = sink?.kind === 'kafka' ? sink.topic : undefined;
  if (topic === undefined) throw new TypeError('KAFKA_OUTPUT_TOPIC must be set.');
  const logger = kafkaLogger('KafkaTransactions');
  const tuning = kafkaTuningOf(kafka);
  registerCodecs({ needed: tuning.compression, maxDecompressedBytes: MAX_DECOMPRESSED_BYTES });
  const config = clientConfig(kafkaConnectionOf(kafka), SOURCE_TIMING.requestTimeoutMs, logger);
  return new Transactions({
    groupId: kafka.groupId,
    topic,
    tuning,
    transactionTimeoutMs: kafka.transactionTimeoutMs,
    createClient: () => createTransactionClient(config, logger),
    clock,
    random,
  });
}
