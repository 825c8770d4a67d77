import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import type { AppOptions } from './app-options.js';
import { brokenExactlyOnceRules } from './exactly-once.js';
import { ConfigurationError } from './load-options.js';
import { brokenRulesOf } from './sink-rules.js';
import { type ConfiguredSink, sinksOf } from './sinks-of.js';

/** The settings that the definition's own sinks need, and what exactly-once mode needs of both. Throws a ConfigurationError that lists what is wrong. */
export function checkDefinition(
  options: Pick<AppOptions, 'kafka' | 'finalSink' | 'sink'>,
  definition: AnyPipelineDefinition,
): void {
  const broken = brokenExactlyOnceRules(options, definition);
  if (broken.length > 0) throw new ConfigurationError(broken);
  const isOwn = options.sink.sinks === undefined && definition.sinks !== undefined;
  if (!isOwn) return;
  const sinks = sinksOf(definition, options);
  const from = `of the pipeline ${definition.name}`;
  const mistakes = [
    ...sinks.flatMap((sink) => brokenRulesOf(sink, options, `${sink.kind}Sink() ${from}`)),
    ...repeatedOf(sinks.map(({ name }) => name)).map(
      (name) => `Two sinks ${from} are named ${name}: give one of them another name.`,
    ),
    ...repeatedOf(sinks.flatMap(targetOf)).map(
      (target) => `Two sinks ${from} deliver to ${target}: it has one row of a record.`,
    ),
  ];
  if (mistakes.length > 0) throw new ConfigurationError([...new Set(mistakes)]);
}

/** A table has one row of a record, so two sinks of one table would be one; elsewhere a repetition may be wanted. */
function targetOf(sink: ConfiguredSink): string[] {
  return sink.kind === 'postgres' ? [`table ${sink.table}`] : [];
}

function repeatedOf(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}
