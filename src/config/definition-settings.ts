/**
 * What a pipeline definition says in place of a setting: its topics, and the limits of its external call.
 *
 * D1 KAFKA_INPUT_TOPICS wins over the definition's topics, as SINKS wins over its sinks: where records come from is the
 *    deployment's business. A definition with sources and without Kafka refuses it: its code expects none of them.
 * D2 The limits of `egress` win over their settings: they belong to the call.
 * D3 The rules over several settings hold for the result as well.
 */
import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import { topicsOf } from '../pipeline/source-definition.js';
import type { AppOptions } from './app-options.js';
import { brokenRules } from './cross-rules.js';
import { ConfigurationError, type EffectiveSetting } from './load-options.js';

/** The options with the definition's own values in their places. Throws a ConfigurationError that lists what is wrong. */
export function withDefinition(options: AppOptions, definition: AnyPipelineDefinition): AppOptions {
  const { name, sources } = definition;
  if (sources !== undefined && topicsOf(sources) === undefined && options.kafka.inputTopics) {
    const topics = options.kafka.inputTopics.join(',');
    throw new ConfigurationError([
      `KAFKA_INPUT_TOPICS must not be set for the pipeline ${name}, which has no kafka() among its sources (got ${JSON.stringify(topics)}).`,
    ]);
  }
  const values = valuesOf(options, definition);
  const names = Object.keys(values);
  if (names.length === 0) return options;
  const { KAFKA_INPUT_TOPICS: inputTopics = options.kafka.inputTopics } = values;
  const {
    EGRESS_OPERATION_TIMEOUT_MS: operationTimeoutMs = options.egress.operationTimeoutMs,
    EGRESS_MAX_CONCURRENT_OPERATIONS: maxConcurrentOperations = options.egress
      .maxConcurrentOperations,
  } = values;
  const result: AppOptions = Object.freeze({
    ...options,
    kafka: Object.freeze({ ...options.kafka, inputTopics }),
    egress: Object.freeze({ ...options.egress, operationTimeoutMs, maxConcurrentOperations }),
  });
  const mistakes = brokenRules(result, new Set());
  if (mistakes.length === 0) return result;
  const said = `With ${names.join(', ')} of the pipeline ${name}:`;
  throw new ConfigurationError(mistakes.map((mistake) => `${said} ${mistake}`));
}

/** The listing of the settings with the definition's values in their places. */
export function settingsWith(
  settings: readonly EffectiveSetting[],
  options: AppOptions,
  definition: AnyPipelineDefinition,
): EffectiveSetting[] {
  const values = new Map<string, unknown>(Object.entries(valuesOf(options, definition)));
  return settings.map((setting) =>
    values.has(setting.name)
      ? { ...setting, shown: JSON.stringify(values.get(setting.name)), source: 'pipeline' }
      : setting,
  );
}

interface Values {
  KAFKA_INPUT_TOPICS?: string[];
  EGRESS_OPERATION_TIMEOUT_MS?: number;
  EGRESS_MAX_CONCURRENT_OPERATIONS?: number;
}

/** By the names of the settings whose place they take. */
function valuesOf({ kafka }: AppOptions, { sources, egressLimits }: AnyPipelineDefinition): Values {
  const topics = kafka.inputTopics === undefined ? topicsOf(sources) : undefined;
  const { timeoutMs, capacity } = egressLimits ?? {};
  return {
    ...(topics === undefined ? {} : { KAFKA_INPUT_TOPICS: [...topics] }),
    ...(timeoutMs === undefined ? {} : { EGRESS_OPERATION_TIMEOUT_MS: timeoutMs }),
    ...(capacity === undefined ? {} : { EGRESS_MAX_CONCURRENT_OPERATIONS: capacity }),
  };
}
