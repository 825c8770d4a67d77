import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { z } from 'zod';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';

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
  const { schema } = app.get<AnyPipelineDefinition>(PIPELINE_DEFINITION, { strict: false });
  const payload = toJsonSchema(schema, 'input')?.schema;
  return { ...document, paths: withPayload(withPlainColons(document.paths), payload) };
}

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

/** The schemas of an OpenAPI 3.1 document are JSON Schema 2020-12; the library's own converter writes 3.0. */
function toJsonSchema(schema: unknown, io: 'input' | 'output'): { schema: object } | undefined {
  if (!(schema instanceof z.ZodType)) return undefined;
  const options = { target: 'draft-2020-12', io, unrepresentable: 'any' } as const;
  const { $schema: _, ...converted } = z.toJSONSchema(schema, options);
  return { schema: converted };
}

/** `::` is how the router escapes a colon. */
function withPlainColons(paths: OpenAPIObject['paths']): OpenAPIObject['paths'] {
  return Object.fromEntries(
    Object.entries(paths).map(([path, item]) => [path.replaceAll('::', ':'), item]),
  );
}
