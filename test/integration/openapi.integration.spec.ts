import { Ajv2020 } from 'ajv/dist/2020.js';
import { startApplication, type TestApplication } from '../support/application.js';

interface Operation {
  operationId: string;
  summary?: string;
  tags?: string[];
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { example: unknown }> };
  responses: Record<
    string,
    { description: string; content?: Record<string, { schema: object; example: unknown }> }
  >;
}
interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
}

/** Every schema object of a document, wherever `schema` stands. */
function schemasIn(value: unknown): object[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, part]: [string, unknown]) =>
    name === 'schema' && typeof part === 'object' && part !== null ? [part] : schemasIn(part),
  );
}

describe('the OpenAPI document', () => {
  let service: TestApplication;
  let document: Document;
  beforeAll(async () => {
    service = await startApplication();
    document = (await service.app.inject('/openapi.json')).json();
  });
  afterAll(() => service.close());

  const operations = (): [string, Operation][] =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.values(item).map((operation): [string, Operation] => [path, operation]),
    );

  it('is OpenAPI 3.1 and names the version of the service', () => {
    expect(document).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Penstock', version: '0.0.0-test' },
    });
  });

  it('has the paths as callers write them', () => {
    expect(Object.keys(document.paths).toSorted()).toEqual([
      '/',
      '/health',
      '/health/live',
      '/health/ready',
      '/health/startup',
      '/metrics',
      '/openapi.json',
      '/v1/admin/acknowledgments',
      '/v1/admin/audit',
      '/v1/admin/config',
      '/v1/admin/conservation',
      '/v1/admin/dead-letters',
      '/v1/admin/dead-letters/summary',
      '/v1/admin/dead-letters/{id}',
      '/v1/admin/dead-letters/{id}/redrive',
      '/v1/admin/events',
      '/v1/admin/partitions',
      '/v1/admin/pipeline',
      '/v1/admin/pipeline/drain',
      '/v1/admin/pipeline/pause',
      '/v1/admin/pipeline/resume',
      '/v1/admin/sinks',
      '/v1/admin/sinks/{name}/pause',
      '/v1/admin/sinks/{name}/resume',
      '/v1/admin/sources',
      '/v1/admin/sources/{name}/pause',
      '/v1/admin/sources/{name}/resume',
      '/v1/admin/stages/{stage}',
      '/v1/records',
      '/v1/records/{id}',
      '/v1/records:batch',
    ]);
  });

  it('holds only schemas of JSON Schema 2020-12 that can be compiled', () => {
    const schemas = schemasIn(document.paths);
    expect(schemas.length).toBeGreaterThan(10);
    // `example` and formats are OpenAPI's own; everything else must be known.
    const ajv = new Ajv2020({ strict: true, strictTypes: false, validateFormats: false });
    ajv.addVocabulary(['example']);
    for (const schema of schemas) expect(() => ajv.compile(schema)).not.toThrow();
  });

  it('gives examples of the admin API that fit their schemas', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const admin = operations().filter(([path]) => path.startsWith('/v1/admin'));
    const media = admin.flatMap(([, { responses }]) =>
      Object.values(responses).flatMap(({ content = {} }) => Object.values(content)),
    );
    expect(media.length).toBeGreaterThan(50);
    for (const { schema, example } of media) {
      const isValid = ajv.validate(schema, example);
      expect([isValid, ajv.errorsText(), example]).toEqual([true, 'No errors', example]);
    }
  });

  it('describes the answers of the admin API as they are', async () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const paths = Object.keys(document.paths).filter((path) => path.startsWith('/v1/admin'));
    const readable = paths.filter(
      (path) => document.paths[path]!['get'] && !/events$|\{(id|job)\}/.test(path),
    );
    for (const path of readable) {
      const answer = await service.app.inject(path.replace('{stage}', 'FinalSink'));
      const { content } = document.paths[path]!['get']!.responses['200']!;
      const isValid = ajv.validate(content!['application/json']!.schema, answer.json());
      expect([path, isValid, ajv.errorsText()]).toEqual([path, true, 'No errors']);
    }
  });

  it("has the payload's schema of the running pipeline, for one record and for batches", () => {
    for (const path of ['/v1/records', '/v1/records:batch']) {
      const { requestBody } = document.paths[path]!['post']!;
      expect(JSON.stringify(requestBody)).toMatch(
        /"payload":\{"description":"[^"]+","type":"object"/,
      );
      expect(JSON.stringify(requestBody)).toContain('"customerId":{"type":"string"');
    }
  });

  it('describes every operation and each of its answers', () => {
    for (const [, operation] of operations()) {
      expect(operation.summary).toBeTruthy();
      expect(operation.tags).toHaveLength(1);
      const answers = Object.values(operation.responses);
      expect(answers.length).toBeGreaterThan(0);
      for (const answer of answers) expect(answer.description).toBeTruthy();
    }
  });

  it('gives every operation a name of its own and declares the parameters of its path', () => {
    const names = operations().map(([, { operationId }]) => operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const [path, { parameters = [] }] of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      expect(parameters.filter((each) => each.in === 'path').map((each) => each.name)).toEqual(
        inPath,
      );
    }
  });

  it('offers examples that the default pipeline accepts as they are', async () => {
    for (const url of ['/v1/records', '/v1/records:batch']) {
      const { requestBody } = document.paths[url]!['post']!;
      for (const [type, { example }] of Object.entries(requestBody!.content)) {
        const answer = await service.app.inject({
          method: 'POST',
          url,
          headers: { 'content-type': type },
          payload: typeof example === 'string' ? example : JSON.stringify(example),
        });
        expect(`${url} ${type}: ${answer.statusCode}`).toBe(`${url} ${type}: 202`);
      }
    }
  });

  it('is shown by a page that needs no other host', async () => {
    const page = await service.app.inject('/docs');
    expect(page.statusCode).toBe(200);
    expect(page.body).not.toMatch(/(src|href)="https?:/);
    expect((await service.app.inject('/docs/swagger-ui-bundle.js')).statusCode).toBe(200);
  });

  it('is linked from the index page', async () => {
    const page = await service.app.inject('/');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    const links = [...page.body.matchAll(/href="([^"]+)"/g)].map((match) => match[1]!);
    expect(links).toEqual(expect.arrayContaining(['/docs', '/openapi.json', '/metrics']));
    // A stream has no end to wait for.
    for (const link of links.filter((each) => each !== '/v1/admin/events')) {
      expect((await service.app.inject(link)).statusCode).toBe(200);
    }
  });
});
