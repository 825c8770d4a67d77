import { failed, InMemorySink } from '../../test/support/in-memory-sink.js';
import { type HarnessOptions, StageHarness } from '../../test/support/stage-harness.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { DeliveryOutcome } from './sinks/sink.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const ACKNOWLEDGED: DeliveryOutcome = { kind: 'acknowledged' };
const endsOf = (harness: StageHarness, records: readonly PipelineRecord[]): Set<unknown> =>
  new Set(records.map((record) => harness.endOf(record)));
const destinationOf = (harness: StageHarness) => harness.runtime.destinations.all()[0]!;

/** A sink of single calls that is away until told. */
async function withOutage(options: HarnessOptions = {}) {
  const at: number[] = [];
  const state = { isAway: true };
  const sink = new InMemorySink({ isOrdered: false, maxBatchRecords: 1 });
  sink.answer = () => {
    at.push(harness.clock.now());
    return state.isAway ? failed('outage') : ACKNOWLEDGED;
  };
  const harness = await new StageHarness({ ...options, sink }).start();
  return { harness, sink, at, state };
}

describe('FinalSink behind the guard of its sink', () => {
  it('holds records while the sink is away: no attempt, no dead letter, one probe at a time, and drains (hold)', async () => {
    const { harness, at, state } = await withOutage({ finalSink: { maxRetries: 1 } });
    const records = await harness.accept(numbers(40), { keys: numbers(40).map((n) => `${n % 7}`) });
    await harness.advance(600_000);
    expect(endsOf(harness, records)).toEqual(new Set([undefined]));
    expect(new Set(records.map(({ attempts }) => attempts))).toEqual(new Set([0]));
    expect(at.length).toBeLessThan(50);
    expect(destinationOf(harness)).toMatchObject({
      name: 'memory',
      kind: 'sink',
      state: 'away',
      detail: 'Calls fail; one at a time is tried.',
      guard: { breaker: { state: 'open' }, calls: { outage: at.length } },
    });
    state.isAway = false;
    await harness.advance(36_000);
    expect(endsOf(harness, records)).toEqual(new Set(['acknowledged']));
    for (const key of numbers(7).map(String)) {
      const ofKey = (each: PipelineRecord): boolean => each.key === key;
      expect(harness.settled.filter(ofKey)).toEqual(records.filter(ofKey));
    }
    expect(destinationOf(harness).state).toBe('ready');
    expect(harness.leftovers()).toEqual({});
  });

  it('charges every failure of an outage when told (FINAL_SINK_OUTAGE_POLICY=dead-letter)', async () => {
    const { harness } = await withOutage({ finalSink: { outagePolicy: 'dead-letter' } });
    const records = await harness.accept([1]);
    await harness.advance(3000);
    expect(endsOf(harness, records)).toEqual(new Set(['dead-lettered: attempts-used-up']));
    expect(destinationOf(harness).guard.budget.retries).toBe(2);
    expect(harness.leftovers()).toEqual({});
  });

  it('opens by FINAL_SINK_BREAKER_FAILURES for FINAL_SINK_BREAKER_OPEN_MS, doubling to FINAL_SINK_BREAKER_MAX_OPEN_MS', async () => {
    const { harness, at } = await withOutage({
      finalSink: {
        breakerFailures: 3,
        breakerOpenMs: 5000,
        breakerMaxOpenMs: 8000,
        maxPendingAcknowledgments: 1,
      },
    });
    await harness.accept(numbers(20));
    await harness.advance(30_000);
    expect(at).toEqual([0, 0, 0, 5000, 13_000, 21_000, 29_000]);
  });

  it('opens by FINAL_SINK_BREAKER_RATIO', async () => {
    for (const [breakerRatio, state] of [
      [0.5, 'open'],
      [0.6, 'closed'],
    ] as const) {
      const sink = new InMemorySink({ isOrdered: false, maxBatchRecords: 1 });
      sink.answer = ({ payload }) =>
        (payload as number) % 2 === 0 ? failed('outage') : ACKNOWLEDGED;
      const finalSink = { breakerRatio, maxPendingAcknowledgments: 1 };
      const harness = await new StageHarness({ sink, finalSink }).start();
      await harness.accept(numbers(10));
      await harness.advance();
      expect(destinationOf(harness).guard.breaker.state).toBe(state);
    }
  });

  it('sends nothing at all while the gate is closed', async () => {
    const { harness, sink, at } = await withOutage({ finalSink: { maxPendingAcknowledgments: 1 } });
    sink.answer = () => {
      at.push(harness.clock.now());
      return at.length === 1 ? failed('busy', { retryAfterMs: 7000 }) : ACKNOWLEDGED;
    };
    await harness.accept(numbers(3));
    await harness.advance(6999);
    expect(at).toEqual([0]);
    expect(harness.finalSink.snapshot().pending).toBe(0);
    await harness.advance(1);
    expect(at).toEqual([0, 7000, 7000, 7000]);
  });

  it('gives records up when the retry budget is empty, reason retry-budget (G1)', async () => {
    const sink = new InMemorySink({ isOrdered: false, maxBatchRecords: 1 });
    sink.answer = ({ payload }) =>
      (payload as number) % 2 === 0 ? failed('retryable') : ACKNOWLEDGED;
    const harness = await new StageHarness({
      sink,
      finalSink: { maxPendingAcknowledgments: 1 },
    }).start();
    const records = await harness.accept(numbers(400));
    await harness.advance();
    // The last one that fails is the 399th first attempt.
    expect(destinationOf(harness).guard.failedAttempts.retried).toBe(Math.floor(0.2 * 399) + 30);
    // At the end only failing ones are left, so that each delivery is a probe.
    await harness.advance(10_000_000);
    expect(endsOf(harness, records)).toEqual(
      new Set(['acknowledged', 'dead-lettered: attempts-used-up', 'dead-lettered: retry-budget']),
    );
    expect(harness.leftovers()).toEqual({});
  });

  it('takes a batch of which one record was acknowledged for a success of the destination', async () => {
    const sink = new InMemorySink({ maxBatchRecords: 4 });
    sink.answer = ({ payload }) =>
      (payload as number) % 4 === 0 ? ACKNOWLEDGED : failed('outage');
    const harness = await new StageHarness({ sink }).start();
    await harness.accept(numbers(4));
    await harness.advance();
    expect(destinationOf(harness).guard.calls).toMatchObject({ succeeded: 1, outage: 0 });
  });

  it('counts an acknowledgment timeout as a failure of the destination, once', async () => {
    const { harness, sink } = await withOutage({ finalSink: { acknowledgmentTimeoutMs: 300 } });
    sink.answer = () => undefined;
    await harness.accept([1]);
    await harness.advance(301);
    expect(destinationOf(harness).guard).toMatchObject({
      calls: { timeout: 1, retryable: 0 },
      breaker: { consecutiveFailures: 1 },
    });
  });

  it('declares a stall of the stage while the breaker is not closed', async () => {
    const { harness, state } = await withOutage();
    const stalled = jest.spyOn(harness.controller, 'stalled');
    await harness.accept(numbers(20));
    await harness.advance(5000);
    state.isAway = false;
    await harness.advance(36_000);
    expect(stalled.mock.calls).toEqual([
      ['FinalSink', true],
      ['FinalSink', false],
    ]);
  });

  it('asks no leave for a sink that ends records itself: its transaction waits with the ledger', async () => {
    const { harness, sink, at } = await withOutage();
    Object.assign(sink, { endsRecords: true, isOrdered: true });
    await harness.accept(numbers(30));
    await harness.advance(20_000);
    expect(at.length).toBeGreaterThan(15);
    expect(destinationOf(harness)).toMatchObject({
      state: 'ready',
      guard: { calls: { outage: 0 } },
    });
  });
});
