import { BackPressureController } from '#libs/back-pressure';
import { Intake } from '../../src/pipeline/intake.js';
import { PipelineLifecycle } from '../../src/pipeline/pipeline.lifecycle.js';
import { startApplication, type TestApplication } from '../support/application.js';

interface HealthDocument {
  status: string;
  details: Record<string, Record<string, unknown> & { status: string }>;
}

describe('health', () => {
  let service: TestApplication;
  beforeAll(async () => {
    service = await startApplication();
  });
  afterAll(() => service.close());

  const get = async (path: string): Promise<{ code: number; body: HealthDocument }> => {
    const answer = await service.app.inject(path);
    return { code: answer.statusCode, body: answer.json() };
  };

  it('is live, started and ready once the pipeline runs', async () => {
    for (const path of ['/health/live', '/health/startup', '/health/ready', '/health']) {
      expect(await get(path)).toMatchObject({ code: 200, body: { status: 'ok' } });
    }
  });

  it('shows every check and the pressure of every stage in words', async () => {
    const { details } = (await get('/health')).body;
    expect(Object.keys(details).toSorted()).toEqual([
      'database',
      'intake',
      'journal',
      'lifecycle',
      'pauses',
      'pipeline',
      'sink-postgres',
    ]);
    expect(details['pipeline']).toMatchObject({
      level: 'HEALTHY',
      stages: [
        { stage: 'Gateway', level: 'HEALTHY' },
        { stage: 'KeyGen', level: 'HEALTHY' },
        { stage: 'IngressProcessing', level: 'HEALTHY' },
        { stage: 'AsyncEgress', level: 'HEALTHY' },
        { stage: 'FinalSink', level: 'HEALTHY' },
      ],
    });
  });

  it.each(['database-away', 'storage-low', 'too-slow'] as const)(
    'is live and not ready while intake is closed: %s',
    async (reason) => {
      const intake = service.app.get(Intake);
      intake.close(reason, 'A sentence for operators.');
      try {
        const { code, body } = await get('/health/ready');
        expect(code).toBe(503);
        expect(body.details['intake']).toMatchObject({
          status: 'down',
          reason,
          message: 'A sentence for operators.',
        });
        expect((await get('/health/live')).code).toBe(200);
        expect((await get('/health')).code).toBe(503);
      } finally {
        intake.open(reason);
      }
      expect((await get('/health/ready')).code).toBe(200);
    },
  );

  it('is degraded and still served under critical pressure', async () => {
    const controller = service.app.get(BackPressureController);
    let value = 1;
    controller.setProcessInput('memory', 'test', () => value);
    controller.evaluate();
    try {
      const { code, body } = await get('/health');
      expect([code, body.status]).toEqual([200, 'degraded']);
      expect(body.details['pipeline']).toMatchObject({
        status: 'degraded',
        level: 'CRITICAL PRESSURE',
      });
      expect((await get('/health/ready')).code).toBe(200);
      expect((await get('/health/live')).code).toBe(200);
    } finally {
      value = 0;
      controller.evaluate();
    }
  });
});

describe('health at a stop', () => {
  it('stays live and is not ready, and answers ask to close the connection', async () => {
    const service = await startApplication();
    await service.app.get(PipelineLifecycle).beforeApplicationShutdown();
    const live = await service.app.inject('/health/live');
    expect(live.statusCode).toBe(200);
    expect(live.headers['connection']).toBe('close');
    expect((await service.app.inject('/health/ready')).statusCode).toBe(503);
    const refused = await service.app.inject({
      method: 'POST',
      url: '/v1/records',
      payload: { payload: {} },
    });
    expect(refused.statusCode).toBe(503);
    expect(refused.headers['retry-after']).toMatch(/^\d+$/);
    await service.close();
  });
});
