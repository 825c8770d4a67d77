import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerProtocolError } from '../../src/gateway/server-protection.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { RawConnection } from '../support/rest-gateway.js';
import { until } from '../support/until.js';

const UNKNOWN_ID = '0198f3a2-7c4e-7b21-9c55-2f6d1e0b8a47';
const PROBLEM = 'content-type: application/problem+json';

/** Every error is a problem document, whoever finds it: parser, server, router, hook or handler. */
describe('the protocol', () => {
  let service: TestApplication;
  let port: number;
  beforeAll(async () => {
    service = await startApplication();
    await service.app.listen(0, '127.0.0.1');
    port = (service.app.getHttpServer().address() as AddressInfo).port;
  });
  afterAll(async () => {
    service.app.getHttpServer().closeAllConnections();
    await service.close();
  });

  /** Sends bytes, and gives the answer with its header in lower case. */
  async function ask(to: number, lines: readonly string[]) {
    const connection = await RawConnection.open(to);
    connection.send(`${lines.join('\r\n')}\r\n\r\n`);
    await until(() => connection.text.includes('\r\n\r\n'), { what: `an answer to ${lines[0]}` });
    const head = (): string => connection.text.split('\r\n\r\n', 1)[0]!.toLowerCase();
    const length = Number(/content-length: (\d+)/.exec(head())?.[1] ?? 0);
    const isHead = lines[0]!.startsWith('HEAD');
    if (!isHead) await until(() => connection.text.length >= head().length + 4 + length);
    const { text } = connection;
    connection.destroy();
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
    return { status, head: head(), body: text.slice(head().length + 4) };
  }
  const request = (line: string, ...fields: string[]) =>
    ask(port, [`${line} HTTP/1.1`, 'Host: localhost', ...fields]);

  function expectProblem(
    answer: { status: number; head: string; body: string },
    status: number,
    name: string,
  ): void {
    expect(answer.head).toContain(PROBLEM);
    expect(JSON.parse(answer.body)).toMatchObject({
      type: `/problems/${name}`,
      status,
      title: expect.any(String),
      detail: expect.any(String),
    });
    expect(answer.status).toBe(status);
  }

  it.each(['/nothing', '/health/nothing', '/v1/admin/nothing', '/v1/records:other'])(
    'answers 404 for the path %s',
    async (path) => {
      expectProblem(await request(`GET ${path}`), 404, 'not-found');
      const head = await request(`HEAD ${path}`);
      expect([head.status, head.body]).toEqual([404, '']);
    },
  );

  it.each([
    ['DELETE', '/v1/records', 'post'],
    ['PUT', `/v1/records/${UNKNOWN_ID}`, 'get, head'],
    ['POST', '/health', 'get, head'],
    ['TRACE', '/health/live', 'get, head'],
    ['DELETE', '/v1/admin/pipeline', 'get, head'],
    ['PROPFIND', '/metrics', 'get, head'],
  ])('answers %s %s with 405 and what is allowed', async (method, path, allow) => {
    const answer = await request(`${method} ${path}`);
    expect(answer.head).toContain(`\nallow: ${allow}\r`);
    expectProblem(answer, 405, 'method-not-allowed');
  });

  it('answers HEAD where there is no GET with 405, without the body', async () => {
    const answer = await request('HEAD /v1/records');
    expect([answer.status, answer.body]).toEqual([405, '']);
    expect(answer.head).toContain('\nallow: post\r');
  });

  it('answers OPTIONS with what the path, or the service, can do', async () => {
    const records = await request('OPTIONS /v1/records');
    expect([records.status, records.body]).toEqual([204, '']);
    expect(records.head).toContain('\nallow: post, options\r');
    expect((await request('OPTIONS /health?x=1')).head).toContain('\nallow: get, head, options\r');
    expect((await request('OPTIONS *')).head).toMatch(/\nallow: .*get, head,.* post, options\r/);
    expectProblem(await request('OPTIONS /nothing'), 404, 'not-found');
  });

  it('answers HEAD like GET, without the body', async () => {
    for (const path of ['/health', '/health/live', '/v1/admin/pipeline', '/metrics']) {
      const answer = await request(`HEAD ${path}`);
      expect([answer.status, answer.body]).toEqual([200, '']);
    }
    const unknown = await request(`HEAD /v1/records/${UNKNOWN_ID}`);
    expect([unknown.status, unknown.body]).toEqual([404, '']);
    expect(unknown.head).toContain(PROBLEM);
  });

  it('answers 406 where JSON is the answer and not accepted, but never to a probe', async () => {
    for (const path of [`/v1/records/${UNKNOWN_ID}`, '/v1/admin/pipeline']) {
      expectProblem(await request(`GET ${path}`, 'Accept: text/html'), 406, 'not-acceptable');
      expectProblem(
        await request(`GET ${path}`, 'Accept: application/json;q=0, text/*'),
        406,
        'not-acceptable',
      );
    }
    for (const path of ['/health', '/health/ready', '/metrics']) {
      expect((await request(`GET ${path}`, 'Accept: text/html')).status).toBe(200);
    }
    expect((await request('GET /v1/admin/pipeline', 'Accept: */*;q=0.1')).status).toBe(200);
  });

  it.each([
    ['no HTTP', ['NONSENSE'], 400, 'malformed'],
    ['a method that nobody knows', ['FOO /health HTTP/1.1', 'Host: a'], 400, 'malformed'],
    ['another version', ['GET /health HTTP/9.1', 'Host: a'], 400, 'malformed'],
    ['no Host', ['GET /health HTTP/1.1'], 400, 'malformed'],
    ['a URL that is none', ['GET /v1/%ZZ HTTP/1.1', 'Host: a'], 400, 'malformed'],
    [
      'two lengths',
      ['POST /v1/records HTTP/1.1', 'Host: a', 'Content-Length: 1', 'Transfer-Encoding: chunked'],
      400,
      'malformed',
    ],
    [
      'header fields that are too large',
      ['GET /health HTTP/1.1', 'Host: a', `X: ${'x'.repeat(20_000)}`],
      431,
      'headers-too-large',
    ],
    [
      'an expectation',
      ['GET /health HTTP/1.1', 'Host: a', 'Expect: magic'],
      417,
      'expectation-failed',
    ],
    [
      'a body of another type',
      ['POST /v1/records HTTP/1.1', 'Host: a', 'Content-Type: text/xml', 'Content-Length: 1'],
      415,
      'unsupported-media-type',
    ],
    [
      'a body that is too large',
      [
        'POST /v1/records HTTP/1.1',
        'Host: a',
        'Content-Type: application/json',
        'Content-Length: 9999999',
      ],
      413,
      'too-large',
    ],
  ])('answers %s with a problem document', async (_what, lines, status, name) => {
    expectProblem(await ask(port, lines), status, name);
  });

  it('answers 408 when the header fields do not arrive in time', async () => {
    const server = createServer({ headersTimeout: 50, connectionsCheckingInterval: 10 });
    server.on('clientError', answerProtocolError);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const connection = await RawConnection.open((server.address() as AddressInfo).port);
    connection.send('GET / HTTP/1.1\r\nHost: a\r\n');
    const body = await until(() => connection.body, { what: 'the answer' });
    expect(body).toMatchObject({ type: '/problems/request-timeout', status: 408 });
    await until(() => connection.closed, { what: 'the connection is closed' });
    server.close();
  });
});
