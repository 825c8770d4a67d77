import { BackPressureController } from '../../libs/back-pressure/src/index.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { order } from '../support/orders.js';
import { until } from '../support/until.js';

const headers = { authorization: 'Bearer secret-token', host: 'localhost' };

describe('the limits of stages by the admin API', () => {
  let service: TestApplication;
  beforeEach(async () => {
    service = await startApplication({
      ADMIN_TOKEN: 'secret-token',
      INSTANCE_ID: 'replica-1',
      MONITORING_INTERVAL_MS: '50',
      KEYGEN_BUFFER_SIZE: '2100',
    });
  });
  afterEach(() => service.close());

  const get = async (path: string) =>
    (await service.app.inject({ url: `/v1/admin/${path}`, headers })).json();
  const patch = async (stage: string, payload: object) => {
    const url = `/v1/admin/stages/${stage}`;
    const answer = await service.app.inject({ method: 'PATCH', url, headers, payload });
    return { code: answer.statusCode, body: answer.json() };
  };
  const patchText = async (payload: string) => {
    const url = '/v1/admin/stages/KeyGen';
    const typed = { ...headers, 'content-type': 'application/json' };
    const answer = await service.app.inject({ method: 'PATCH', url, headers: typed, payload });
    return { code: answer.statusCode, body: answer.json() };
  };
  const send = () =>
    service.app.inject({ method: 'POST', url: '/v1/records', payload: { payload: order('c', 1) } });
  const credits = (stage: string) => service.app.get(BackPressureController).credits(stage);

  it('shows what is configured, what holds and who has changed it, and says the same in the settings', async () => {
    expect(await get('stages/KeyGen')).toMatchObject({
      stage: 'KeyGen',
      limits: { bufferSize: { configured: 2100, current: 2100, changed: false } },
      revertsAt: null,
      changedBy: null,
      status: { stage: 'KeyGen', level: 'healthy' },
    });
    const { code, body } = await patch('KeyGen', { bufferSize: 40, trigger: 0.5 });
    expect(code).toBe(200);
    expect(body).toMatchObject({
      limits: {
        bufferSize: { configured: 2100, current: 40, changed: true },
        trigger: { configured: 0.8, current: 0.5, changed: true },
        creditReplenishRate: { configured: 200, current: 200, changed: false },
      },
      revertsAt: null,
      changedBy: 'admin-token@127.0.0.1',
      status: { credits: { capacity: 40 } },
    });
    expect(credits('KeyGen').capacity).toBe(40);
    expect(await get('config')).toEqual(
      expect.arrayContaining([
        { name: 'KEYGEN_BUFFER_SIZE', value: '40', source: 'override', configured: '2100' },
        { name: 'KEYGEN_CREDIT_REPLENISH_RATE', value: '200', source: 'default' },
        { name: 'ADMIN_TOKEN', value: '(set, not shown)', source: 'environment' },
      ]),
    );
    expect(await get('audit')).toMatchObject([
      {
        action: 'change',
        target: 'stage KeyGen',
        by: 'admin-token@127.0.0.1',
        instance: 'replica-1',
        from: {},
        to: { bufferSize: 40, trigger: 0.5 },
      },
    ]);
  });

  it('takes a change back by null, and keeps the others', async () => {
    await patch('KeyGen', { bufferSize: 40, trigger: 0.5 });
    const { body } = await patch('KeyGen', { bufferSize: null });
    expect(body.limits).toMatchObject({
      bufferSize: { current: 2100, changed: false },
      trigger: { current: 0.5, changed: true },
    });
    expect(credits('KeyGen').capacity).toBe(2100);
    expect((await patch('KeyGen', { trigger: null })).body.changedBy).toBeNull();
  });

  it('reverts by itself after ttlSeconds', async () => {
    const { body } = await patch('FinalSink', { bufferSize: 2000, ttlSeconds: 1 });
    expect(Date.parse(body.revertsAt)).toBeGreaterThan(Date.now() - 1000);
    expect(credits('FinalSink').capacity).toBe(2000);
    await until(() => credits('FinalSink').capacity === 2500, { what: 'the limit reverts' });
    expect(await get('stages/FinalSink')).toMatchObject({
      revertsAt: null,
      limits: { bufferSize: { current: 2500, changed: false } },
    });
  });

  it.each([
    ['{"bufferSize":1e400}', 'unsafe-number', '/bufferSize: must be a number that fits a double'],
    ['{"note":"\\u0000"}', 'invalid', '/note: must not hold the character U+0000'],
  ])(
    'says where %s holds what no request may, and calls it no record',
    async (text, type, rule) => {
      const { code, body } = await patchText(text);
      expect(code).toBe(422);
      expect(body).toMatchObject({ type: `/problems/${type}`, errors: [expect.any(Object)] });
      expect(body.detail).toContain(rule);
      expect(body.title).not.toContain('record');
    },
  );

  it('refuses with 422 what breaks a rule, naming it, and changes nothing', async () => {
    expect(await patch('FinalSink', { bufferSize: 1500 })).toMatchObject({
      code: 422,
      body: {
        type: '/problems/invalid',
        detail:
          'FINAL_SINK_BUFFER_SIZE must be at least twice FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS (got 1500 and 1000).',
      },
    });
    expect((await patch('KeyGen', { bufferSize: 0 })).body.errors).toEqual([
      { path: '/bufferSize', message: 'must be a whole number of at least 1 (got 0)' },
    ]);
    expect((await patch('KeyGen', { ttlSeconds: -5 })).body.detail).toBe(
      '/ttlSeconds must be a whole number between 1 and 31536000.',
    );
    for (const wrong of [{ bufferSize: '9' }, { nothing: 1 }, { ttlSeconds: 0 }, [1]]) {
      expect(await patch('KeyGen', wrong)).toMatchObject({ code: 422 });
    }
    expect((await patch('Sink', {})).code).toBe(404);
    expect(credits('FinalSink').capacity).toBe(2500);
    expect(await get('audit')).toEqual([]);
  });

  it('limits the rate of the Gateway from the next request on, and lifts it again', async () => {
    await patch('Gateway', { maxRequestsPerSecond: 1 });
    const codes: number[] = [];
    for (let i = 0; i < 4; i += 1) codes.push((await send()).statusCode);
    expect(codes).toContain(429);
    const refused = await until(
      async () => {
        const answer = await send();
        return answer.statusCode === 429 ? answer : undefined;
      },
      { what: 'a refusal' },
    );
    expect(refused.headers['ratelimit-policy']).toBe('"records";q=1;w=1');
    await patch('Gateway', { maxRequestsPerSecond: 0 });
    for (let i = 0; i < 20; i += 1) expect((await send()).statusCode).toBe(202);
  });

  it('takes each limit that a stage has of its own, and records still pass', async () => {
    await patch('Gateway', { maxConcurrentRequests: 3, bufferSize: 3000 });
    expect(service.app.get(BackPressureController).semaphore('gateway').capacity).toBe(3);
    await patch('IngressProcessing', { maxBufferSize: 1, bufferSize: 3000 });
    await patch('KeyGen', { bufferSize: 3000 });
    await patch('AsyncEgress', { bufferSize: 4000, maxConcurrentOperations: 2 });
    await patch('FinalSink', { maxPendingAcknowledgments: 1, bufferSize: 2 });
    // Some are refused while there is no room: they come again, as a client would.
    const accepted = (): Promise<unknown> =>
      until(async () => (await send()).statusCode === 202, { what: 'a record is accepted' });
    await Promise.all(Array.from({ length: 20 }, accepted));
    await until(async () => (await get('conservation')).acknowledged === 20, {
      what: 'all are delivered',
    });
    const { stages } = await get('pipeline');
    expect(stages.at(-1)).toMatchObject({ inService: { limit: 1 }, credits: { outstanding: 0 } });
  });
});
