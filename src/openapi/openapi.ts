import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { offersRest } from '../pipeline/source-definition.js';
import { withCommonAnswers } from './common-answers.js';
import { contentOf, jsonSchemaOf } from './describe.js';

const DESCRIPTION =
  'Takes records and delivers them at the pace of their destination. A 2xx answer is a promise: the record reaches its ' +
  'destination, the dead letters, or is discarded with a reason, and GET /v1/records/{id} says which.';

/** Serves `/openapi.json` and `/docs`. Call it once, before `init`; needs no other host, so it works offline. */
export function serveOpenApi(app: NestFastifyApplication, version: string): void {
  SwaggerModule.setup('docs', app, () => openApiDocument(app, version), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Penstock API',
  });
}

/** The OpenAPI 3.1 document of the application's routes. */
export function openApiDocument(app: NestFastifyApplication, version: string): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Penstock')
    .setDescription(DESCRIPTION)
    .setVersion(version)
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'ADMIN_TOKEN' }, 'admin')
    .addBearerAuth(
      { type: 'http', scheme: 'bearer', description: 'A token of INGEST_TOKENS, where it is set' },
      'ingest',
    )
    .build();
  const document = SwaggerModule.createDocument(app, config, {
    autoTagControllers: false,
    standardSchemaConverter: (schema, { schemaType }) => toJsonSchema(schema, schemaType),
  });
  const definition = app.get<AnyPipelineDefinition>(PIPELINE_DEFINITION, { strict: false });
  const payload = toJsonSchema(definition.schema, 'input')?.schema;
  const routes = offered(withPlainColons(document.paths), definition);
  const paths = { ...routes, '/openapi.json': ITSELF };
  return { ...document, paths: withPayload(withCommonAnswers(paths), payload) };
}

/** Where records come in; a pipeline without `rest()` answers 404 `not-offered` there. */
const INTAKE_PATHS: ReadonlySet<string> = new Set(['/v1/records', '/v1/records:batch']);

function offered(
  paths: OpenAPIObject['paths'],
  { sources }: AnyPipelineDefinition,
): OpenAPIObject['paths'] {
  if (offersRest(sources)) return paths;
  return Object.fromEntries(Object.entries(paths).filter(([path]) => !INTAKE_PATHS.has(path)));
}

/** The route is the library's, which does not describe it. */
const ITSELF = {
  get: {
    operationId: 'OpenApi_document',
    summary: 'This document.',
    tags: ['documents'],
    responses: {
      200: {
        description: 'OpenAPI 3.1.',
        content: contentOf(
          'application/json',
          z.looseObject({ openapi: z.string(), info: z.looseObject({}), paths: z.looseObject({}) }),
          { openapi: '3.1.0', info: { title: 'Penstock', version: '1.0.0' }, paths: {} },
        ),
      },
    },
  },
};

/** The pipeline's own schema in place of "any JSON value", where it can be written down. */
function withPayload<T>(part: T, payload: object | undefined): T {
  if (payload === undefined || typeof part !== 'object' || part === null) return part;
  if (Array.isArray(part)) return part.map((each: unknown) => withPayload(each, payload)) as T;
  const entries = Object.entries(part).map(([name, value]: [string, unknown]) => {
    // Only in what is sent: a schema's property, not the value of an example.
    const isPayload = name === 'payload' && isSchemaOfAnything(value);
    // What is answered may be older than the schema, or a dead letter for not fitting it.
    if (name === 'responses') return [name, value];
    return [name, isPayload ? { ...value, ...payload } : withPayload(value, payload)];
  });
  return Object.fromEntries(entries) as T;
}

function isSchemaOfAnything(value: unknown): value is { description: string } {
  if (typeof value !== 'object' || value === null) return false;
  return Object.keys(value).join() === 'description';
}

/** In place of the library's own converter, which writes schemas of OpenAPI 3.0. */
function toJsonSchema(schema: unknown, io: 'input' | 'output') {
  return schema instanceof z.ZodType ? { schema: jsonSchemaOf(schema, io) } : undefined;
}

/** `::` is how the router escapes a colon. */
function withPlainColons(paths: OpenAPIObject['paths']): OpenAPIObject['paths'] {
  return Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [path.replaceAll('::', ':'), item]),
  );
}
