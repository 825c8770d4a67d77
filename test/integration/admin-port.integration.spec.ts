import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import orders from '../../pipelines/orders.pipeline.js';
import { createApplication } from '../../src/application.js';
import { loadOptions } from '../../src/config/load-options.js';
import { FrontDoor } from '../../src/http/front-door.js';
import type { AnyPipelineDefinition } from '../../src/pipeline/definition.js';
import { PipelineLifecycle } from '../../src/pipeline/pipeline.lifecycle.js';
import { apiDocumentOf, watchApplication } from '../support/answer-watch.js';
import { order } from '../support/orders.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

const AUTHORIZATION = { authorization: 'Bearer secret-token' };

describe('ADMIN_PORT', () => {
  let database: TestDatabase;
  let app: NestFastifyApplication;
  const [door, adminDoor] = [new FrontDoor(), new FrontDoor()];
  beforeAll(async () => {
    database = await createTestDatabase();
    await door.listen(0, '127.0.0.1');
    await adminDoor.listen(0, '127.0.0.1', 'ADMIN_PORT');
    app = await createApplication({
      loaded: loadOptions({
        environment: { DATABASE_URL: database.url, ADMIN_TOKEN: 'secret-token', ADMIN_PORT: '0' },
        folder: '/nowhere',
      }),
      definition: orders as AnyPipelineDefinition,
      version: '0.0.0-test',
      logger: false,
      door,
      adminDoor,
    });
    watchApplication(app, () => apiDocumentOf(app));
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    door.open();
    adminDoor.open();
    await app.get(PipelineLifecycle).whenStarted();
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  /** A request with the path exactly as written, which `fetch` would tidy up. */
  const ask = (
    { port }: FrontDoor,
    path: string,
    { method = 'GET', headers = AUTHORIZATION as Record<string, string>, body = '' } = {},
  ): Promise<{ code: number; type: string; body: string }> =>
    new Promise((resolve, reject) => {
      const request = httpRequest({ port, path, method, headers }, (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
        answer.on('end', () => {
          const type = answer.headers['content-type'] ?? '';
          resolve({ code: answer.statusCode ?? 0, type, body: text });
        });
      });
      request.once('error', reject);
      request.end(body);
    });

  it.each(['/v1/admin/pipeline', '/v1/admin/config', '/health', '/health/ready', '/metrics', '/'])(
    'serves %s, and PORT answers 404 as if there were nothing',
    async (path) => {
      expect((await ask(adminDoor, path)).code).toBe(200);
      const elsewhere = await ask(door, path);
      expect([elsewhere.code, elsewhere.type]).toEqual([404, 'application/problem+json']);
      expect(JSON.parse(elsewhere.body)).toMatchObject({ type: '/problems/not-found' });
    },
  );

  it.each([
    '/v1/%61dmin/pipeline',
    '/%68ealth',
    '/health?x=1',
    '/metrics#x',
    'http://elsewhere.example/v1/admin/pipeline',
  ])('is not reached through PORT by spelling the path %s', async (path) => {
    expect((await ask(door, path)).code).toBe(404);
  });

  it('takes no records; PORT does', async () => {
    const body = JSON.stringify({ payload: order('c', 1) });
    const headers = { 'content-type': 'application/json' };
    const post = { method: 'POST', headers, body };
    expect((await ask(adminDoor, '/v1/records', post)).code).toBe(404);
    const answer = await ask(door, '/v1/records', post);
    expect(answer.code).toBe(202);
    const { id } = JSON.parse(answer.body) as { id: string };
    expect((await ask(door, `/v1/records/${id}`)).code).toBe(200);
    expect((await ask(adminDoor, `/v1/records/${id}`)).code).toBe(404);
  });

  it('shows the description of the API on both', async () => {
    for (const each of [door, adminDoor]) {
      expect((await ask(each, '/openapi.json')).code).toBe(200);
      expect((await ask(each, '/docs')).code).toBe(200);
    }
  });

  it('keeps the rules of the token and of the Host header', async () => {
    expect((await ask(adminDoor, '/v1/admin/pipeline', { headers: {} })).code).toBe(401);
    const headers = { ...AUTHORIZATION, host: 'evil.example' };
    expect((await ask(adminDoor, '/v1/admin/pipeline', { headers })).code).toBe(403);
  });

  it('sends events over a socket that stays open: a snapshot at once, and a pause as it comes', async () => {
    const socket = connect(adminDoor.port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write(
      'GET /v1/admin/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret-token\r\n\r\n',
    );
    await until(() => (text.match(/event: snapshot/g)?.length ?? 0) >= 2, {
      what: 'two snapshots came',
    });
    expect(text).toContain('content-type: text/event-stream');
    expect(text).toMatch(/data: \{"instance":"[^"]+","peers":\[\],"state":"running"/);
    await ask(adminDoor, '/v1/admin/pipeline/pause', { method: 'POST' });
    await until(() => text.includes('event: pauses\ndata: {"paused":["pipeline"]}'), {
      what: 'the pause came',
    });
    await ask(adminDoor, '/v1/admin/pipeline/resume', { method: 'POST' });
    socket.destroy();
  });
});

describe('ADMIN_PORT and PORT', () => {
  it('must differ', () => {
    expect(() =>
      loadOptions({ environment: { PORT: '4000', ADMIN_PORT: '4000' }, folder: '/nowhere' }),
    ).toThrow('ADMIN_PORT must differ from PORT (got 4000 for both).');
  });

  it('are named by who can not be listened on', async () => {
    const [first, second] = [new FrontDoor(), new FrontDoor()];
    await first.listen(0, '127.0.0.1');
    await expect(second.listen(first.port, '127.0.0.1', 'ADMIN_PORT')).rejects.toThrow(
      `ADMIN_PORT ${first.port} on 127.0.0.1 is in use`,
    );
    await first.close();
  });
});
