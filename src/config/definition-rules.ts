import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import type { AppOptions } from './app-options.js';
import { brokenSinkRules } from './kafka-settings.js';
import { ConfigurationError } from './load-options.js';

/** The settings that the definition's own sinks need. Throws a ConfigurationError that lists what is wrong. */
export function checkDefinition(
  options: Pick<AppOptions, 'kafka' | 'finalSink' | 'sink'>,
  definition: AnyPipelineDefinition,
): void {
  const [sink] = options.sink.sinks === undefined ? (definition.sinks ?? []) : [];
  if (sink?.kind !== 'kafka') return;
  const topic = sink.topic ?? options.kafka.outputTopic;
  const from = `kafkaSink() of the pipeline ${definition.name}`;
  const mistakes = brokenSinkRules(options, { topic, from });
  if (mistakes.length > 0) throw new ConfigurationError(mistakes);
}
