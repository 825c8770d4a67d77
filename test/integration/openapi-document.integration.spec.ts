import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { RouteTable } from '../../src/gateway/route-table.js';
import { startApplication, type TestApplication } from '../support/application.js';

interface Media {
  schema: object;
  example?: unknown;
}
interface Described {
  description: string;
  content?: Record<string, Media>;
}
interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  parameters?: { name: string; schema: object & { examples?: unknown[]; default?: unknown } }[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, Described>;
  security?: Record<string, string[]>[];
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Record<string, object> };
}

/** The schema that the OpenAPI Initiative publishes, as its package brings it. */
const OFFICIAL = 'node_modules/@seriousme/openapi-schema-validator/schemas/v3.1/schema.json';
/** Served by the library for its own page. */
const SWAGGER_UI = /^\/docs/;

describe('The OpenAPI document', () => {
  let service: TestApplication;
  let document: Document;
  const routes = new Set<string>();
  beforeAll(async () => {
    const add = jest.spyOn(RouteTable.prototype, 'add');
    service = await startApplication();
    for (const [url, methods] of add.mock.calls) {
      for (const method of methods) routes.add(`${method} ${url}`);
    }
    add.mockRestore();
    document = (await service.app.inject('/openapi.json')).json();
  });
  afterAll(() => service.close());

  const operations = (): [string, Operation][] =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]): [string, Operation] => [
        `${method.toUpperCase()} ${path}`,
        operation,
      ]),
    );

  it("is valid by the OpenAPI Initiative's own schema of 3.1, which refuses what is not", () => {
    const schema = JSON.parse(readFileSync(OFFICIAL, 'utf8')) as object;
    const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
    const validate = ajv.compile(schema);
    expect([validate(document), validate.errors]).toEqual([true, null]);
    expect(validate({ ...document, routes: {} })).toBe(false);
    const [path = ''] = Object.keys(document.paths);
    const paths = { ...document.paths, [path]: { get: { responses: { 200: {} } } } };
    expect(validate({ ...document, paths })).toBe(false);
  });

  it('has every route of the router, and no other', () => {
    const routed = [...routes]
      .filter((route) => !/^(HEAD|OPTIONS) /.test(route))
      .filter((route) => !SWAGGER_UI.test(route.split(' ')[1]!))
      .map((route) =>
        route
          .replaceAll('::', '\0')
          .replaceAll(/:(\w+)/g, '{$1}')
          .replaceAll('\0', ':'),
      );
    expect([...new Set(routed)].toSorted()).toEqual(
      operations()
        .map(([name]) => name)
        .toSorted(),
    );
  });

  it('names, sums up and files every operation', () => {
    for (const [name, { operationId, summary, tags }] of operations()) {
      expect([name, operationId]).toEqual([name, expect.stringMatching(/^\w+$/)]);
      expect([name, summary]).toEqual([name, expect.stringMatching(/\S+ \S+/)]);
      expect([name, tags]).toEqual([name, [expect.any(String)]]);
    }
  });

  it('gives every answer of every operation a schema and an example', () => {
    for (const [name, { responses }] of operations()) {
      for (const [status, { description, content = {} }] of Object.entries(responses)) {
        expect([name, status, description]).toEqual([name, status, expect.stringMatching(/\S/)]);
        expect([name, status, Object.keys(content).length > 0]).toEqual([name, status, true]);
        for (const media of Object.values(content)) {
          expect([name, status, Object.keys(media).toSorted()]).toEqual([
            name,
            status,
            ['example', 'schema'],
          ]);
        }
      }
    }
  });

  it('has examples of requests and answers that fit their schemas', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    let examples = 0;
    for (const [name, { requestBody, responses }] of operations()) {
      for (const [of, part] of Object.entries({ ...responses, request: requestBody })) {
        for (const { schema, example } of Object.values(part?.content ?? {})) {
          const isValid = ajv.validate(schema, example);
          expect([name, of, isValid, ajv.errorsText()]).toEqual([name, of, true, 'No errors']);
          examples += 1;
        }
      }
    }
    expect(examples).toBeGreaterThan(150);
  });

  it('has problems whose status and type are those of their place', () => {
    for (const [name, { responses }] of operations()) {
      for (const [status, { content = {} }] of Object.entries(responses)) {
        const example = content['application/problem+json']?.example;
        if (example === undefined) continue;
        expect([name, example]).toEqual([
          name,
          expect.objectContaining({
            status: Number(status),
            type: expect.stringMatching(/^\/problems\/[a-z-]+$/),
          }),
        ]);
      }
    }
  });

  it('gives every operation the answers that all routes may give', () => {
    for (const [name, { responses }] of operations()) {
      for (const status of ['400', '500', '503']) {
        const { content = {} } = responses[status] ?? {};
        expect([name, status, Object.keys(content)]).toEqual([
          name,
          status,
          expect.arrayContaining(['application/problem+json']),
        ]);
      }
    }
  });

  it('asks for the bearer of operators on the admin API, for that of a tenant on the record routes, and says what a call without it gets', () => {
    expect(document.components.securitySchemes).toMatchObject({
      admin: { type: 'http', scheme: 'bearer' },
      ingest: { type: 'http', scheme: 'bearer' },
    });
    for (const [name, { security = [], responses }] of operations()) {
      const isAdmin = name.includes(' /v1/admin/');
      const isIngest = name.includes(' /v1/records');
      expect([name, security.flatMap((each) => Object.keys(each))]).toEqual([
        name,
        [...(isAdmin ? ['admin'] : []), ...(isIngest ? ['ingest'] : [])],
      ]);
      const isGuarded = ['401', '403'].every((status) => status in responses);
      expect([name, isGuarded]).toEqual([name, security.length > 0]);
    }
  });
});
