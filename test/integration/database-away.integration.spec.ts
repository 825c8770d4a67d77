import { startApplication, type TestApplication } from '../support/application.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';

jest.setTimeout(15_000);

const ID = '0198f3a2-7c4e-7b21-9c55-2f6d1e0b8a47';

describe('Calls that need the database while it is away', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let service: TestApplication;

  beforeAll(async () => {
    database = await createTestDatabase();
    const url = new URL(database.url);
    proxy = new TcpProxy({ host: url.hostname, port: Number(url.port) });
    url.hostname = '127.0.0.1';
    url.port = String(await proxy.open());
    service = await startApplication({ DATABASE_URL: url.href, ADMIN_TOKEN: 'secret-token' });
    await proxy.close();
  });
  afterAll(async () => {
    await service.close();
    await database.drop();
  });

  const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string) =>
    service.app.inject({
      method,
      url,
      headers: { host: 'localhost', authorization: 'Bearer secret-token' },
      ...(method === 'PATCH' && { payload: { bufferSize: 100 } }),
    });

  it.each([
    ['GET', '/v1/admin/dead-letters'],
    ['GET', '/v1/admin/dead-letters/summary'],
    ['GET', '/v1/admin/dead-letters/1'],
    ['POST', '/v1/admin/dead-letters/1/redrive'],
    ['DELETE', '/v1/admin/dead-letters/1?reason=test'],
    ['GET', '/v1/admin/partitions'],
    ['GET', '/v1/admin/acknowledgments'],
    ['GET', '/v1/admin/conservation'],
    ['GET', '/v1/admin/audit'],
    ['POST', '/v1/admin/pipeline/pause'],
    ['POST', '/v1/admin/pipeline/resume'],
    ['POST', '/v1/admin/pipeline/drain'],
    ['POST', '/v1/admin/sources/rest/pause'],
    ['POST', '/v1/admin/sources/rest/resume'],
    ['POST', '/v1/admin/sinks/postgres/pause'],
    ['POST', '/v1/admin/sinks/postgres/resume'],
    ['PATCH', '/v1/admin/stages/FinalSink'],
    ['GET', `/v1/records/${ID}`],
  ] as const)('%s %s answers 503 database-away, and when to ask again', async (method, url) => {
    const answer = await call(method, url);
    expect(answer.json()).toMatchObject({
      type: '/problems/database-away',
      title: 'The database is away',
      status: 503,
    });
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  });

  it.each([
    '/v1/admin/pipeline',
    '/v1/admin/stages/FinalSink',
    '/v1/admin/sinks',
    '/v1/admin/sources',
    '/v1/admin/config',
  ])('GET %s answers from memory', async (url) => {
    expect((await call('GET', url)).statusCode).toBe(200);
  });
});
