import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import orders from '../../pipelines/orders.pipeline.js';
import { createApplication } from '../../src/application.js';
import { type Environment, loadOptions } from '../../src/config/load-options.js';
import type { AnyPipelineDefinition } from '../../src/pipeline/definition.js';
import { PipelineLifecycle } from '../../src/pipeline/pipeline.lifecycle.js';
import { apiDocumentOf, watchApplication } from './answer-watch.js';
import { createTestDatabase, type TestDatabase } from './postgres.js';

export interface TestApplication {
  readonly app: NestFastifyApplication;
  readonly database: TestDatabase;
  close(): Promise<void>;
}

/** The whole application, by default with the example pipeline, on a database of its own; ready, and not listening: use `app.inject`. */
export async function startApplication(
  environment: Environment = {},
  definition: AnyPipelineDefinition = orders as AnyPipelineDefinition,
): Promise<TestApplication> {
  const database = await createTestDatabase();
  const loaded = loadOptions({
    environment: { DATABASE_URL: database.url, ...environment },
    folder: '/nowhere',
  });
  const app = await createApplication({
    loaded,
    definition,
    version: '0.0.0-test',
    logger: false,
  });
  watchApplication(app, () => apiDocumentOf(app));
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  await app.get(PipelineLifecycle).whenStarted();
  return {
    app,
    database,
    async close() {
      await app.close();
      await database.drop();
    },
  };
}
