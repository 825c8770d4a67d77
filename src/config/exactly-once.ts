import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import type { AppOptions } from './app-options.js';
import { sinksOf } from './sinks-of.js';

type Options = Pick<AppOptions, 'kafka' | 'sink' | 'finalSink'>;

const NAME = 'KAFKA_DELIVERY_GUARANTEE=exactly-once';

export const isExactlyOnce = ({ kafka }: Pick<AppOptions, 'kafka'>): boolean =>
  kafka.deliveryGuarantee === 'exactly-once';

/** What exactly-once mode needs and the settings or the definition lack, as sentences. Nothing in the other mode. */
export function brokenExactlyOnceRules(
  options: Options,
  definition: AnyPipelineDefinition,
): string[] {
  if (!isExactlyOnce(options)) return [];
  const { kafka, finalSink } = options;
  const sinks = sinksOf(definition, options).map(({ kind }) => kind);
  const mistakes: string[] = [];
  if (kafka.inputTopics === undefined) {
    mistakes.push(`KAFKA_INPUT_TOPICS must be set for ${NAME}: its records come from Kafka.`);
  }
  if (definition.sources?.some(({ kind }) => kind === 'rest') === true) {
    mistakes.push(
      `${NAME} takes no records by REST, and the pipeline ${definition.name} has rest() among its sources.`,
    );
  }
  if (sinks.length !== 1 || sinks[0] !== 'kafka') {
    mistakes.push(
      `${NAME} needs one single sink, which is Kafka: SINKS=kafka, or kafkaSink() in the pipeline (got ${sinks.join(', ')}).`,
    );
  }
  if (!finalSink.requireAcknowledgment) {
    mistakes.push(`FINAL_SINK_REQUIRE_ACKNOWLEDGMENT must be true for ${NAME}.`);
  }
  return mistakes;
}
