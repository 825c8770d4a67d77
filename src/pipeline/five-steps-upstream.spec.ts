import { InMemorySink } from '../../test/support/in-memory-sink.js';
import { StageHarness } from '../../test/support/stage-harness.js';

/**
 * The propagation from a slow sink to the caller, step by step. Steps 4 and 5 are rules of one part and are shown there:
 * partition-load.spec.ts (a blocked partition gets no keyless record, no key moves) and simulated-pipeline.spec.ts
 * (admissions follow deliveries, the refusal names FinalSink).
 */
describe('a sink that takes thirty records a second', () => {
  const MS_PER_RECORD = 33;
  const sink = new InMemorySink({ maxBatchRecords: 5 });
  let calls = 0;
  const harness = new StageHarness({
    sink,
    definition: {
      egress: () => {
        calls += 1;
        return Promise.resolve();
      },
    },
    ingress: { maxBufferSize: 40, bufferTimeoutMs: 60_000 },
    capacity: { IngressProcessing: 50, AsyncEgress: 30, FinalSink: 20 },
  });
  const grown = { delivered: 0, granted: 0, started: 0 };
  const bufferLevels: number[] = [];
  const counts = () => ({
    delivered: sink.arrivals.length,
    granted: harness.controller.credits('FinalSink').granted,
    started: calls,
  });

  beforeAll(async () => {
    sink.answer = () =>
      new Promise((resolve) => {
        harness.clock.setTimer(MS_PER_RECORD, () => resolve({ kind: 'acknowledged' }));
      });
    await harness.start();
    harness.controller.start();
    void harness.submit(Array.from({ length: 600 }, (_, i) => i)).done;
    await harness.advance(5000);
    const before = counts();
    for (let i = 0; i < 100; i += 1) {
      await harness.advance(100);
      bufferLevels.push(harness.outstanding('IngressProcessing'));
    }
    const after = counts();
    grown.delivered = after.delivered - before.delivered;
    grown.granted = after.granted - before.granted;
    grown.started = after.started - before.started;
  });
  afterAll(() => harness.stop());

  const statusOf = (id: string) =>
    harness.controller.getPipelineStatus().stages.find(({ stage }) => stage === id)!;
  const within10Percent = (count: number): boolean =>
    Math.abs(count - grown.delivered) <= 0.1 * grown.delivered;

  it('is granted to as it delivers (step 1)', () => {
    expect(grown.delivered).toBeGreaterThan(200);
    expect(within10Percent(grown.granted)).toBe(true);
  });

  it('throttles AsyncEgress: its records keep their credits, its calls follow the deliveries (step 2)', () => {
    const { credits, blockedRatio, throttled } = statusOf('AsyncEgress');
    expect(credits.outstanding).toBeGreaterThanOrEqual(credits.limit);
    expect(blockedRatio).toBeGreaterThanOrEqual(0.9);
    expect(throttled).toBe(true);
    expect(within10Percent(grown.started)).toBe(true);
  });

  it('fills the bounded buffer of IngressProcessing, and what is journalled is never refused (step 3)', () => {
    expect(Math.max(...bufferLevels)).toBeLessThanOrEqual(50);
    expect(Math.min(...bufferLevels)).toBeGreaterThan(0);
    expect(statusOf('IngressProcessing').throttled).toBe(true);
  });

  it('loses nothing once it is as fast as it was', async () => {
    sink.answer = () => ({ kind: 'acknowledged' });
    await harness.advance(60_000);
    expect(sink.arrivals).toHaveLength(600);
    expect(new Set(sink.arrivals).size).toBe(600);
    expect(harness.leftovers()).toEqual({});
  });
});
