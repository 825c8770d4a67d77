import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyServerFactory } from 'fastify';
import { AppModule } from './app.module.js';
import { settingsWith, withDefinition } from './config/definition-settings.js';
import type { LoadedOptions } from './config/load-options.js';
import { configureHttp, registerHooks } from './gateway/gateway.http.js';
import { KafkaIngestStrategy } from './gateway/kafka-ingest.strategy.js';
import type { FrontDoor } from './http/front-door.js';
import { ListenerSplit } from './http/listener-split.js';
import { RequestMetrics } from './metrics/request-metrics.js';
import { serveOpenApi } from './openapi/openapi.js';
import type { AnyPipelineDefinition } from './pipeline/definition.js';

export interface ApplicationSettings {
  readonly loaded: Pick<LoadedOptions, 'options' | 'settings'>;
  readonly definition: AnyPipelineDefinition;
  /** Of package.json, for the OpenAPI document. */
  readonly version: string;
  /** False: silent. */
  readonly logger: LoggerService | false;
  /** Where requests come from, when that is not a server of the application's own. */
  readonly door?: FrontDoor;
  /** The operators' own listener (ADMIN_PORT), if there is one. */
  readonly adminDoor?: FrontDoor;
}

/**
 * The whole application, wired and not listening yet: call `init`, or `listen`. Rejects when the database can't start, and
 * with a ConfigurationError when settings and definition don't go together.
 */
export async function createApplication(
  settings: ApplicationSettings,
): Promise<NestFastifyApplication> {
  const { definition, version, logger, door, adminDoor } = settings;
  const given = settings.loaded;
  const options = withDefinition(given.options, definition);
  const loaded = { options, settings: settingsWith(given.settings, given.options, definition) };
  const split = adminDoor && new ListenerSplit(adminDoor);
  const adapter = new FastifyAdapter({
    ...configureHttp(),
    // The drain answers by itself; the framework would refuse health checks as well.
    return503OnClosing: false,
    ...(door && { serverFactory: serverFactoryOf(door, split) }),
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRoot(loaded, definition),
    adapter,
    { bodyParser: false, logger, abortOnError: false, bufferLogs: false },
  );
  const fastify = adapter.getInstance();
  split?.register(fastify);
  registerHooks(app);
  if (loaded.options.kafka.inputTopics !== undefined) {
    app.connectMicroservice({ strategy: app.get(KafkaIngestStrategy) }, { inheritAppConfig: true });
    await app.startAllMicroservices();
  }
  app.get(RequestMetrics).watch(fastify);
  // The framework closes only servers that it made to listen.
  if (door !== undefined) fastify.addHook('onClose', () => door.close());
  serveOpenApi(app, version);
  return app;
}

function serverFactoryOf(door: FrontDoor, split: ListenerSplit | undefined): FastifyServerFactory {
  return (handler) => {
    door.prepare(handler);
    split?.prepare(handler);
    return door.server;
  };
}
