import type { AppOptions } from './app-options.js';
import { brokenSinkRules } from './kafka-settings.js';
import type { ConfiguredSink } from './sinks-of.js';

/** What a sink needs and the settings lack; `from` says who asks for it. */
export function brokenRulesOf(
  sink: ConfiguredSink,
  options: Pick<AppOptions, 'kafka' | 'finalSink'>,
  from: string,
): string[] {
  if (sink.kind === 'kafka') return brokenSinkRules(options, { topic: sink.topic, from });
  if (sink.kind === 'postgres') return [];
  const isSet = { CALLBACK_URL: sink.url, CALLBACK_SECRET: sink.secret };
  return Object.entries(isSet).flatMap(([name, value]) =>
    value === undefined ? `${name} must be set for ${from}.` : [],
  );
}
