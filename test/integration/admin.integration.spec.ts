import { startApplication, type TestApplication } from '../support/application.js';
import { order } from '../support/orders.js';
import { until } from '../support/until.js';

describe('GET /v1/admin/pipeline', () => {
  let service: TestApplication;
  beforeAll(async () => {
    service = await startApplication({ ADMIN_TOKEN: 'secret-token', INSTANCE_ID: 'replica-1' });
  });
  afterAll(() => service.close());

  const get = (headers: Record<string, string>) =>
    service.app.inject({ url: '/v1/admin/pipeline', headers });
  const authorization = 'Bearer secret-token';

  it('answers problems to who has no token, and to a foreign Host header', async () => {
    const noToken = await get({ host: 'localhost' });
    expect(noToken.statusCode).toBe(401);
    expect(noToken.headers['www-authenticate']).toBe('Bearer');
    expect(noToken.headers['content-type']).toBe('application/problem+json');
    expect(noToken.json()).toEqual({
      type: '/problems/unauthorized',
      title: 'Unauthorized',
      status: 401,
      detail: 'The admin API asks for the bearer token ADMIN_TOKEN.',
    });
    const foreign = await get({ host: 'evil.example', authorization });
    expect(foreign.json()).toMatchObject({
      type: '/problems/forbidden',
      title: 'Forbidden',
      status: 403,
    });
  });

  it('names the instance, its state, each stage and the bottleneck', async () => {
    const answer = await get({ host: 'localhost:3000', authorization });
    expect(answer.json()).toMatchObject({
      instance: 'replica-1',
      state: 'running',
      closed: null,
      level: 'healthy',
      bottleneck: null,
      stages: [
        { stage: 'Gateway', credits: { capacity: 1000 } },
        { stage: 'KeyGen', credits: { capacity: 2000 } },
        { stage: 'IngressProcessing', credits: { capacity: 1500 } },
        { stage: 'AsyncEgress', credits: { capacity: 3000 } },
        { stage: 'FinalSink', credits: { capacity: 2500 } },
      ],
      conservation: { balanced: true },
    });
  });

  it('accounts for every record', async () => {
    for (let i = 0; i < 5; i += 1) {
      const payload = { payload: order('c', i) };
      await service.app.inject({ method: 'POST', url: '/v1/records', payload });
    }
    const conservation = await until(
      async () => {
        const { conservation: books } = (await get({ host: 'localhost', authorization })).json();
        return books.acknowledged === 5 ? books : undefined;
      },
      { what: 'five records are acknowledged' },
    );
    expect(conservation).toMatchObject({
      accepted: 5,
      acknowledged: 5,
      inFlight: 0,
      balanced: true,
    });
  });
});
