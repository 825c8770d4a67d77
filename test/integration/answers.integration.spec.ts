import { type FastifyInstance, fastify } from 'fastify';
import { startApplication, type TestApplication } from '../support/application.js';
import { type Answer, AnswerCheck, type ApiDocument } from '../support/answer-check.js';
import {
  apiDocumentOf,
  checkedAnswers,
  expectNoMisfits,
  takeMisfits,
  watchApplication,
  watchService,
} from '../support/answer-watch.js';
import { order } from '../support/orders.js';

/** Says of `/health/live` what is not so. */
const WRONG: ApiDocument = {
  paths: {
    '/health/live': {
      get: {
        responses: {
          200: {
            content: {
              'application/json': { schema: { type: 'object', required: ['uptimeSeconds'] } },
            },
          },
        },
      },
    },
    '/openapi.json': {
      get: { responses: { 200: { content: { 'application/json': { schema: {} } } } } },
    },
  },
};
const MISFIT =
  'GET /health/live 200: body must have required property \'uptimeSeconds\' {"missingProperty":"uptimeSeconds"}';

describe('Answers are held against the OpenAPI document', () => {
  let server: FastifyInstance;
  beforeEach(() => {
    server = fastify();
  });
  afterEach(() => server.close());

  const route = (): void => {
    server.get('/health/live', () => ({ status: 'ok' }));
    server.get('/openapi.json', () => WRONG);
  };

  it('fails the test that gets another answer of an application than its document says (AW1)', async () => {
    watchApplication(
      { getHttpAdapter: () => ({ getInstance: () => server }) } as never,
      () => WRONG,
    );
    route();
    expect((await server.inject('/health/live')).json()).toEqual({ status: 'ok' });
    await expect(expectNoMisfits()).rejects.toThrow(MISFIT);
    await expectNoMisfits();
  });

  it('fails the test that gets another answer of a service than its document says (AW1, AW3)', async () => {
    route();
    const url = await server.listen({ port: 0, host: '127.0.0.1' });
    watchService(url);
    expect(await (await fetch(`${url}/health/live`)).json()).toEqual({ status: 'ok' });
    await expect(expectNoMisfits()).rejects.toThrow(MISFIT);
  });

  it('holds the first answers against the document that comes after them (AW2)', async () => {
    let isStarted = false;
    server.addHook('onRequest', (_request, reply, done) => {
      if (isStarted) done();
      else void reply.status(503).send({ status: 'starting' });
    });
    route();
    const url = await server.listen({ port: 0, host: '127.0.0.1' });
    watchService(url);
    await fetch(`${url}/health/live`);
    expect(await takeMisfits()).toEqual([]);
    isStarted = true;
    await fetch(`${url}/openapi.json`);
    expect(await takeMisfits()).toEqual(['GET /health/live 503: is not in the document']);
  });
});

describe('An answer', () => {
  let service: TestApplication;
  let accepted: Answer;
  let document: ApiDocument;
  beforeAll(async () => {
    service = await startApplication();
    document = apiDocumentOf(service.app);
    const request = { method: 'POST', url: '/v1/records' } as const;
    const {
      statusCode: status,
      headers,
      body,
    } = await service.app.inject({
      ...request,
      payload: { payload: order('c', 1) },
    });
    accepted = { ...request, status, headers: headers as Answer['headers'], body };
  });
  afterAll(() => service.close());

  const misfits = (change: Partial<Answer>, changed = document): string[] =>
    new AnswerCheck(changed).misfits({ ...accepted, ...change });
  const without = (name: string): Answer['headers'] =>
    Object.fromEntries(Object.entries(accepted.headers).filter(([each]) => each !== name));

  it('of the service is looked at, each of them', async () => {
    const before = checkedAnswers();
    await Promise.all(['/health', '/metrics', '/nothing'].map((url) => service.app.inject(url)));
    expect(checkedAnswers() - before).toBe(3);
  });

  it('fits when all of it is described (AC1)', () => {
    expect(accepted.status).toBe(202);
    expect(misfits({})).toEqual([]);
  });

  it.each<[string, Partial<Answer>, RegExp]>([
    ['another path', { url: '/v1/record' }, /^POST \/v1\/record 202: is not in the document/],
    ['another method', { method: 'PUT' }, /is not in the document/],
    ['another status', { status: 201 }, /^POST \/v1\/records 201: is not in the document/],
    ['another body', { body: '{"id":"1"}' }, /body must have required property 'status'/],
    ['one field more in the body', { body: '{"id":"1","status":"accepted","x":1}' }, /additional/],
    ['a body that is no JSON', { body: 'accepted' }, /body must be object/],
  ])('with %s does not fit (AC1)', (_name, change, misfit) => {
    expect(misfits(change).join('\n')).toMatch(misfit);
  });

  it('with header fields that are not as described does not fit (AC1)', () => {
    const { headers } = accepted;
    expect(misfits({ headers: without('location') })).toEqual([
      'POST /v1/records 202: lacks the field location',
    ]);
    expect(misfits({ headers: { ...headers, location: '/elsewhere' } }).join()).toMatch(
      /field location must match pattern/,
    );
    expect(misfits({ headers: { ...headers, 'retry-after': '1' } }).join()).toMatch(
      /has the field retry-after, not described/,
    );
    expect(misfits({ headers: { ...headers, 'content-type': 'text/html' } }).join()).toMatch(
      /has the media type "text\/html", not described/,
    );
  });

  it('outside of the document fits only as a problem of its kind (AC2)', () => {
    const problem = { type: '/problems/x', title: 'X', status: 404, detail: 'X.' };
    const outside = {
      url: '/nothing',
      headers: { 'content-type': 'application/problem+json' },
      body: JSON.stringify(problem),
    };
    expect(misfits({ ...outside, status: 404 })).toEqual([]);
    expect(misfits({ ...outside, status: 404, body: '{}' })).not.toEqual([]);
    expect(misfits({ ...outside, status: 500 })).not.toEqual([]);
    const other = { ...outside, url: '/v1/records', method: 'PUT', status: 405 };
    expect(misfits(other)).toEqual(['PUT /v1/records 405: lacks the field allow']);
    expect(misfits({ ...other, headers: { ...outside.headers, allow: 'POST' } })).toEqual([]);
  });
});
