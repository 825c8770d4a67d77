import { startApplication, type TestApplication } from '../support/application.js';
import { order } from '../support/orders.js';
import { until } from '../support/until.js';

const AUTHORIZATION = { authorization: 'Bearer secret-token', host: 'localhost' };

describe('pausing by the admin API', () => {
  let service: TestApplication;
  beforeEach(async () => {
    service = await startApplication({ ADMIN_TOKEN: 'secret-token', INSTANCE_ID: 'replica-1' });
  });
  afterEach(() => service.close());

  const admin = async (method: 'GET' | 'POST', path: string) => {
    const url = `/v1/admin/${path}`;
    const answer = await service.app.inject({ method, url, headers: AUTHORIZATION });
    return { code: answer.statusCode, body: answer.json() };
  };
  const send = (i = 0) =>
    service.app.inject({ method: 'POST', url: '/v1/records', payload: { payload: order('c', i) } });
  const audited = async (): Promise<string[]> => {
    const { body } = await admin('GET', 'audit');
    return body.map(({ action, target }: Record<string, string>) => `${action} ${target}`);
  };

  it('refuses records with 503 paused and Retry-After, is ready and degraded, and resumes', async () => {
    const paused = await admin('POST', 'pipeline/pause');
    expect(paused).toMatchObject({
      code: 200,
      body: { target: 'pipeline', paused: true, drain: false, by: 'admin-token@127.0.0.1' },
    });
    const refused = await send();
    expect(refused.statusCode).toBe(503);
    expect(refused.headers['retry-after']).toMatch(/^\d+$/);
    expect(refused.json()).toMatchObject({ type: '/problems/paused', signal: 'paused' });
    const ready = await service.app.inject('/health/ready');
    expect([ready.statusCode, ready.json().status]).toEqual([200, 'degraded']);
    expect((await service.app.inject('/health')).statusCode).toBe(200);
    expect((await admin('GET', 'pipeline')).body).toMatchObject({
      state: 'paused',
      paused: ['pipeline'],
      closed: { reason: 'paused' },
    });
    expect((await admin('POST', 'pipeline/resume')).body).toEqual({
      target: 'pipeline',
      paused: false,
      drain: false,
      since: null,
      by: null,
    });
    expect((await send()).statusCode).toBe(202);
    expect((await service.app.inject('/health/ready')).json().status).toBe('ok');
  });

  it('is idempotent: the first one stays the one who did it, and only it is audited', async () => {
    const first = await admin('POST', 'sources/rest/pause');
    expect(await admin('POST', 'sources/rest/pause')).toEqual(first);
    await admin('POST', 'sources/rest/resume');
    await admin('POST', 'sources/rest/resume');
    expect(await audited()).toEqual(['resume source:rest', 'pause source:rest']);
  });

  it('holds deliveries to a paused sink, and delivers what has waited after the resume', async () => {
    await admin('POST', 'sinks/postgres/pause');
    expect((await admin('GET', 'sinks')).body).toMatchObject([{ name: 'postgres', paused: true }]);
    for (let i = 0; i < 5; i += 1) expect((await send(i)).statusCode).toBe(202);
    await until(
      async () => {
        const { body } = await admin('GET', 'pipeline');
        const sink = body.stages.find(({ stage }: { stage: string }) => stage === 'FinalSink');
        return sink.credits.outstanding === 5;
      },
      { what: 'the records wait in FinalSink' },
    );
    const { rows } = await service.database.pool.query('SELECT count(*)::int FROM delivered');
    expect(rows).toEqual([{ count: 0 }]);
    expect((await service.app.inject('/health')).json().status).toBe('degraded');
    await admin('POST', 'sinks/postgres/resume');
    await until(async () => (await admin('GET', 'conservation')).body.acknowledged === 5, {
      what: 'all are delivered',
    });
  });

  it('takes nothing more of a stream that is open already', async () => {
    await service.app.listen(0, '127.0.0.1');
    const { port } = service.app.getHttpServer().address() as { port: number };
    const url = `http://127.0.0.1:${port}/v1/records:batch`;
    let open: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => void (open = controller),
    });
    const line = (i: number): Uint8Array =>
      Buffer.from(`${JSON.stringify({ payload: order('c', i) })}\n`);
    const request: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
      duplex: 'half',
    };
    const answer = fetch(url, request);
    open?.enqueue(line(1));
    await until(async () => (await admin('GET', 'conservation')).body.accepted === 1, {
      what: 'the first line is accepted',
    });
    await admin('POST', 'sources/rest/pause');
    open?.enqueue(line(2));
    open?.close();
    expect(await (await answer).json()).toMatchObject({
      accepted: 1,
      refused: 1,
      results: [{ index: 0 }, { index: 1, problem: { type: '/problems/paused', status: 503 } }],
    });
  });

  it('drains: nothing comes in, and the status says when nothing is in flight', async () => {
    await admin('POST', 'sinks/postgres/pause');
    for (let i = 0; i < 3; i += 1) await send(i);
    expect(await admin('POST', 'pipeline/drain')).toMatchObject({
      code: 202,
      body: { drain: true },
    });
    expect((await admin('GET', 'pipeline')).body.drain).toMatchObject({
      inFlight: 3,
      isEmpty: false,
      by: 'admin-token@127.0.0.1',
    });
    expect((await send()).json()).toMatchObject({ type: '/problems/paused' });
    await admin('POST', 'sinks/postgres/resume');
    await until(async () => (await admin('GET', 'pipeline')).body.drain.isEmpty === true, {
      what: 'the pipeline is empty',
    });
    // A pause leaves a drain as it is; the resume ends it.
    expect((await admin('POST', 'pipeline/pause')).body).toMatchObject({ drain: true });
    await admin('POST', 'pipeline/resume');
    expect((await admin('GET', 'pipeline')).body).toMatchObject({ drain: null, state: 'running' });
  });

  it('answers 404 for a source or a sink that is not there, naming those that are', async () => {
    expect(await admin('POST', 'sources/kafka/pause')).toMatchObject({
      code: 404,
      body: { detail: 'There is no source "kafka"; there is rest.' },
    });
    expect(await admin('POST', 'sinks/ftp/resume')).toMatchObject({
      code: 404,
      body: { type: '/problems/not-found', detail: expect.stringContaining('postgres') },
    });
  });

  it('asks for the token', async () => {
    const answer = await service.app.inject({ method: 'POST', url: '/v1/admin/pipeline/pause' });
    expect([answer.statusCode, answer.json().type]).toEqual([401, '/problems/unauthorized']);
    expect((await send()).statusCode).toBe(202);
  });
});
