import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import type { SinkDefinition } from '../pipeline/sink-definition.js';
import type { AppOptions } from './app-options.js';

interface AnyConfiguredSink {
  /** As the books name it; no two sinks have the same. */
  readonly name: string;
  readonly map: ((payload: never) => unknown) | undefined;
  readonly isRequired: boolean;
}

/** A sink with everything that a definition may leave to the settings. */
export type ConfiguredSink = AnyConfiguredSink &
  (
    | { readonly kind: 'postgres'; readonly table: string }
    | { readonly kind: 'kafka'; readonly topic: string | undefined }
    | {
        readonly kind: 'callback';
        readonly url: string | undefined;
        readonly secret: string | undefined;
      }
  );

type Settings = Pick<AppOptions, 'sink' | 'kafka'>;

/**
 * Where records go: SINKS wins over the definition's sinks, which may leave table, topic, URL and secret to the settings;
 * neither: `postgres`. What is undefined afterwards is missing: `checkDefinition` says so.
 */
export function sinksOf(
  definition: AnyPipelineDefinition,
  settings: Settings,
): readonly ConfiguredSink[] {
  const { sinks } = settings.sink;
  const own: readonly SinkDefinition[] = sinks?.map((kind) => ({ kind })) ??
    definition.sinks ?? [{ kind: 'postgres' }];
  const isAlone = ({ kind }: SinkDefinition): boolean =>
    own.filter((other) => other.kind === kind).length === 1;
  return own.map((sink) => configured(sink, settings, isAlone(sink)));
}

function configured(sink: SinkDefinition, settings: Settings, isAlone: boolean): ConfiguredSink {
  const { map, required = true } = sink;
  const common = { map, isRequired: required };
  const named = (target: string | undefined) =>
    sink.name ?? (isAlone ? sink.kind : `${sink.kind}:${target ?? ''}`);
  switch (sink.kind) {
    case 'postgres': {
      const table = sink.table ?? settings.sink.sinkTable;
      return { ...common, kind: 'postgres', name: named(table), table };
    }
    case 'kafka': {
      const topic = sink.topic ?? settings.kafka.outputTopic;
      return { ...common, kind: 'kafka', name: named(topic), topic };
    }
    case 'callback': {
      const url = sink.url ?? settings.sink.callbackUrl;
      const secret = sink.secret ?? settings.sink.callbackSecret;
      return { ...common, kind: 'callback', name: named(url && placeOf(url)), url, secret };
    }
  }
}

/** Host and path: a query may hold what nobody else should read. */
function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return pathname === '/' ? host : `${host}${pathname}`;
}
