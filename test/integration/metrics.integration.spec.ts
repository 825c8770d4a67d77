import { BackPressureController } from '../../libs/back-pressure/src/index.js';
import { ALL_METRICS } from '../../src/metrics/all-metrics.js';
import { Intake } from '../../src/pipeline/intake.js';
import { Conservation } from '../../src/ledger/conservation.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { order } from '../support/orders.js';
import { until } from '../support/until.js';

/** The lines of one scrape, by name and labels. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

describe('GET /metrics', () => {
  let service: TestApplication;
  beforeAll(async () => {
    service = await startApplication({ EGRESS_MAX_DEAD_LETTER_QUEUE_SIZE: '500' });
  });
  afterAll(() => service.close());

  const scrape = async (): Promise<string> => (await service.app.inject('/metrics')).body;
  const post = (payload: unknown) =>
    service.app.inject({ method: 'POST', url: '/v1/records', payload: { payload } });

  it('is in the text format of Prometheus', async () => {
    const answer = await service.app.inject('/metrics');
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('has every metric of docs/metrics.md with its kind, and those of the process', async () => {
    const text = await scrape();
    for (const { name, kind } of ALL_METRICS) {
      expect(text).toContain(`# TYPE ${name} ${kind}\n`);
    }
    expect(text).toContain('# TYPE nodejs_eventloop_lag_seconds gauge');
  });

  it('counts what goes in and comes out, and times it', async () => {
    const before = samplesOf(await scrape());
    for (let i = 0; i < 3; i += 1) expect((await post(order('c', i))).statusCode).toBe(202);
    const ended = 'pipeline_records_ended_total{outcome="acknowledged",source="rest"}';
    const after = await until(
      async () => {
        const samples = samplesOf(await scrape());
        return samples.get(ended) === (before.get(ended) ?? 0) + 3 ? samples : undefined;
      },
      { what: 'three records are acknowledged' },
    );
    const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    expect(grown('pipeline_records_accepted_total')).toBe(3);
    expect(grown('penstock_records_consumed_total{source="rest"}')).toBe(3);
    expect(grown('pipeline_record_seconds_count')).toBe(3);
    expect(grown('penstock_processing_latency_seconds_count{source="rest"}')).toBe(3);
    expect(grown('penstock_processing_latency_seconds_count{source="kafka"}')).toBe(0);
    expect(grown('pipeline_record_seconds_bucket{le="+Inf"}')).toBe(3);
    expect(grown('pipeline_request_seconds_count{route="/v1/records",status="2xx"}')).toBe(3);
    for (const stage of ['Gateway', 'KeyGen', 'IngressProcessing', 'AsyncEgress', 'FinalSink']) {
      expect(grown(`pipeline_credits_granted_total{stage="${stage}"}`)).toBe(3);
    }
    expect(after.get('pipeline_journal_records')).toBe(0);
    expect(after.get('pipeline_database_ready')).toBe(1);
  });

  it('counts a record that the pipeline discards once, as the books do', async () => {
    const name = 'pipeline_records_ended_total{outcome="discarded",source="rest"}';
    const before = samplesOf(await scrape()).get(name) ?? 0;
    expect((await post({ ...order('c', 0), isTest: true })).json()).toMatchObject({
      status: 'discarded',
    });
    expect(samplesOf(await scrape()).get(name)).toBe(before + 1);
    const { discarded } = await service.app.get(Conservation).read();
    expect(discarded).toBe(before + 1);
  });

  it('shows the room for dead letters, and its bound', async () => {
    const samples = samplesOf(await scrape());
    expect(samples.get('pipeline_dead_letters{state="waiting"}')).toBe(0);
    expect(samples.get('pipeline_dead_letters_capacity')).toBe(500);
  });

  it('conserves credits in every sample: available + granted − spent = capacity', async () => {
    const samples = samplesOf(await scrape());
    for (const stage of ['Gateway', 'FinalSink', 'pipeline']) {
      const of = (name: string): number =>
        samples.get(`pipeline_credits_${name}{stage="${stage}"}`)!;
      expect(of('available') + of('granted_total') - of('spent_total')).toBe(of('capacity'));
    }
  });

  it('counts refusals by stage, reason and signal', async () => {
    service.app.get(Intake).close('storage-low', 'The disk is nearly full.');
    expect((await post(order('r', 1))).statusCode).toBe(503);
    service.app.get(Intake).open('storage-low');
    const name = 'pipeline_admissions_rejected_total';
    const labels = 'stage="Gateway",reason="storage-low",signal="storage-low"';
    expect(samplesOf(await scrape()).get(`${name}{${labels}}`)).toBe(1);
  });

  it('counts the records refused in a batch, also when others of it were taken', async () => {
    const controller = service.app.get(BackPressureController);
    const batch = (records: number) =>
      service.app.inject({
        method: 'POST',
        url: '/v1/records:batch',
        payload: Array.from({ length: records }, (_, i) => ({ payload: order(`b${i}`, i) })),
      });
    const name = 'pipeline_admissions_rejected_total';
    const labels = 'stage="Gateway",reason="temporary-reduced-capacity",signal="credit"';
    const refused = async () => samplesOf(await scrape()).get(`${name}{${labels}}`) ?? 0;
    const lot = await controller.acquirePipelineCredits(9999);
    const some = await batch(3);
    expect([some.statusCode, some.json().accepted, some.json().refused]).toEqual([202, 1, 2]);
    expect(await refused()).toBe(2);
    const last = await controller.acquirePipelineCredits(1);
    const none = await batch(2);
    expect([none.statusCode, none.json().refused]).toEqual([429, 2]);
    expect(await refused()).toBe(4);
    last.release();
    lot.release(9999);
    controller.evaluate();
  });

  it('shows permits, who waits for one, and pending acknowledgments', async () => {
    const controller = service.app.get(BackPressureController);
    const gateway = controller.semaphore('gateway');
    const permits = Array.from({ length: 100 }, () => gateway.tryAcquire()!);
    const waiting = controller.acquirePermit('gateway', { timeoutMs: 60_000 });
    controller.meter('FinalSink').inService(7, 1000);
    const samples = samplesOf(await scrape());
    expect(samples.get('pipeline_permits_in_use{stage="Gateway"}')).toBe(100);
    expect(samples.get('pipeline_permits_capacity{stage="Gateway"}')).toBe(100);
    expect(samples.get('pipeline_permit_waiters{stage="Gateway"}')).toBe(1);
    expect(samples.get('pipeline_pending_acknowledgments')).toBe(7);
    expect(samples.get('pipeline_pending_acknowledgments_capacity')).toBe(1000);
    for (const permit of permits) permit.release();
    (await waiting).release();
    controller.meter('FinalSink').inService(0, 1000);
    const after = samplesOf(await scrape());
    expect(after.get('pipeline_permit_wait_seconds_count{stage="Gateway"}')).toBe(1);
  });

  it('counts who is turned away because as many wait for a permit as may', async () => {
    const controller = service.app.get(BackPressureController);
    const gateway = controller.semaphore('gateway');
    const { capacity, queueCapacity } = gateway.snapshot();
    const rejected = async () =>
      samplesOf(await scrape()).get('pipeline_permits_rejected_total{stage="Gateway"}')!;
    const before = await rejected();
    const permits = Array.from({ length: capacity }, () => gateway.tryAcquire()!);
    const ask = () => controller.acquirePermit('gateway', { timeoutMs: 60_000 });
    const line = Array.from({ length: queueCapacity }, ask);
    await expect(ask()).rejects.toThrow(/1000 callers wait/);
    for (const permit of permits) permit.release();
    for (const each of line) (await each).release();
    expect((await rejected()) - before).toBe(1);
  });

  it('knows a path without a route by one label only', async () => {
    await Promise.all([service.app.inject('/nothing/1'), service.app.inject('/nothing/2')]);
    const samples = samplesOf(await scrape());
    expect(samples.get('pipeline_request_seconds_count{route="none",status="4xx"}')).toBe(2);
  });

  it('counts records that were not kept, since their Idempotency-Key has one', async () => {
    const send = () =>
      service.app.inject({
        method: 'POST',
        url: '/v1/records',
        headers: { 'idempotency-key': 'k' },
        payload: { payload: order('replayed', 1) },
      });
    expect((await send()).statusCode).toBe(202);
    const before = samplesOf(await scrape());
    expect((await send()).headers['idempotency-replayed']).toBe('true');
    const after = samplesOf(await scrape());
    const grown = (name: string): number => after.get(name)! - before.get(name)!;
    expect(grown('pipeline_records_replayed_total')).toBe(1);
    expect(grown('pipeline_records_accepted_total')).toBe(0);
  });
});
