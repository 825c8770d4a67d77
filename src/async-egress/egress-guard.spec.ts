import { Gate, type HarnessOptions, StageHarness } from '../../test/support/stage-harness.js';
import type { EgressContext } from '../pipeline/definition.js';
import type { PipelineRecord } from '../pipeline/record.js';

type Egress = (payload: never, context: EgressContext) => unknown;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
const withCall = (egress: Egress, options: HarnessOptions = {}): Promise<StageHarness> =>
  new StageHarness({ ...options, definition: { egress } }).start();
const endsOf = (harness: StageHarness, records: readonly PipelineRecord[]): Set<unknown> =>
  new Set(records.map((record) => harness.endOf(record)));
const statusOf = (harness: StageHarness) =>
  harness.runtime.destinations.all().find(({ kind }) => kind === 'egress')!;
const guardOf = (harness: StageHarness) => statusOf(harness).guard;

/** A destination that is away until told. */
async function withOutage(options: HarnessOptions = {}) {
  const at: number[] = [];
  const state = { isAway: true };
  const harness = await withCall(() => {
    at.push(harness.clock.now());
    if (state.isAway) throw refused;
  }, options);
  return { harness, at, state };
}

describe('AsyncEgress behind its guard', () => {
  it('holds records while the destination is away: no attempt, no dead letter, one probe at a time, and drains (hold)', async () => {
    const { harness, at, state } = await withOutage({ egress: { maxConcurrentOperations: 4 } });
    const records = await harness.accept(numbers(40));
    await harness.advance(600_000);
    expect(endsOf(harness, records)).toEqual(new Set([undefined]));
    expect(new Set(records.map(({ attempts }) => attempts))).toEqual(new Set([0]));
    // Ten open the breaker; then 1, 2, 4, 8, 16 and 30 s apart.
    expect(at.length).toBeLessThan(40);
    expect(harness.egress.snapshot()).toMatchObject({ running: 0, inside: 40 });
    state.isAway = false;
    await harness.advance(36_000);
    expect(endsOf(harness, records)).toEqual(new Set(['acknowledged']));
    expect(new Set(records.map(({ attempts }) => attempts))).toEqual(new Set([1]));
    expect(harness.leftovers()).toEqual({});
  });

  it('makes an outage pressure: the stage is critical while records wait for it', async () => {
    const { harness } = await withOutage({ capacity: { AsyncEgress: 100 } });
    await harness.accept(numbers(100));
    await harness.advance(60_000);
    harness.controller.evaluate();
    const { stages, bottleneck } = harness.controller.getPipelineStatus();
    expect(stages.find(({ stage }) => stage === 'AsyncEgress')).toMatchObject({
      level: 'critical',
    });
    expect(bottleneck?.stage).toBe('AsyncEgress');
  });

  it('keeps the order of a key through an outage', async () => {
    const { harness, state } = await withOutage();
    const records = await harness.accept(numbers(6), { keys: ['a', 'a', 'b', 'a', 'b', 'a'] });
    await harness.advance(60_000);
    state.isAway = false;
    await harness.advance(60_000);
    const ended = harness.settled.filter(({ key }) => key === 'a');
    expect(ended).toEqual(records.filter(({ key }) => key === 'a'));
  });

  it('charges every failure of an outage when told, also to the budget (EGRESS_OUTAGE_POLICY=dead-letter)', async () => {
    const { harness } = await withOutage({
      egress: { outagePolicy: 'dead-letter', breakerFailures: 1000 },
    });
    const records = await harness.accept([1]);
    await harness.advance(3000);
    expect(endsOf(harness, records)).toEqual(new Set(['dead-lettered: attempts-used-up']));
    expect(guardOf(harness).budget.retries).toBe(2);
    expect(harness.leftovers()).toEqual({});
  });

  it('opens by EGRESS_BREAKER_FAILURES for EGRESS_BREAKER_OPEN_MS, doubling to EGRESS_BREAKER_MAX_OPEN_MS', async () => {
    const { harness, at } = await withOutage({
      egress: {
        breakerFailures: 3,
        breakerOpenMs: 5000,
        breakerMaxOpenMs: 8000,
        maxConcurrentOperations: 1,
      },
    });
    await harness.accept(numbers(20));
    await harness.advance(30_000);
    expect(at).toEqual([0, 0, 0, 5000, 13_000, 21_000, 29_000]);
  });

  it('opens by EGRESS_BREAKER_RATIO', async () => {
    for (const [breakerRatio, state] of [
      [0.5, 'open'],
      [0.6, 'closed'],
    ] as const) {
      const harness = await withCall(
        (n: number) => {
          if (n % 2 === 0) throw refused;
        },
        { egress: { breakerRatio, maxConcurrentOperations: 1 } },
      );
      await harness.accept(numbers(10));
      await harness.advance();
      expect(guardOf(harness).breaker.state).toBe(state);
    }
  });

  it('closes the gate for all records at a busy answer, and holds no permit meanwhile', async () => {
    const at: number[] = [];
    const harness = await withCall(
      () => {
        at.push(harness.clock.now());
        const isFirst = at.length === 1;
        if (isFirst) throw Object.assign(new Error('x'), { status: 429, retryAfterMs: 7000 });
      },
      { egress: { maxConcurrentOperations: 1 } },
    );
    const records = await harness.accept(numbers(5));
    await harness.advance(6999);
    expect(at).toEqual([0]);
    expect(harness.egress.snapshot()).toMatchObject({ running: 0, inside: 5 });
    expect(harness.outstanding('AsyncEgress')).toBe(5);
    expect(statusOf(harness).state).toBe('busy');
    await harness.advance(1);
    expect(at).toEqual([0, 7000, 7000, 7000, 7000, 7000]);
    expect(endsOf(harness, records)).toEqual(new Set(['acknowledged']));
  });

  it('retries at most 20 % of the first attempts and 3 a second; the rest are dead letters, reason retry-budget (G1)', async () => {
    const harness = await withCall(
      (n: number) => {
        // Every second record fails for good, the others keep the breaker closed.
        if (n % 2 === 0) throw Object.assign(new Error('x'), { status: 500 });
      },
      { egress: { maxConcurrentOperations: 1 } },
    );
    const records = await harness.accept(numbers(400));
    await harness.advance();
    // The last one that fails is the 399th first attempt.
    const retried = Math.floor(0.2 * 399) + 30;
    expect(guardOf(harness).failedAttempts).toMatchObject({
      retried,
      'retry-budget': 200 - retried,
    });
    // At the end only failing ones are left, so that each attempt is a probe.
    await harness.advance(10_000_000);
    const [failing, others] = [0, 1].map((rest) =>
      records.filter(({ payload }) => (payload as number) % 2 === rest),
    );
    expect(endsOf(harness, failing!)).toEqual(
      new Set(['dead-lettered: attempts-used-up', 'dead-lettered: retry-budget']),
    );
    expect(endsOf(harness, others!)).toEqual(new Set(['acknowledged']));
    expect(harness.leftovers()).toEqual({});
  });

  it('makes no probe before one of the calls that ignore their signal has ended, and runs at most twice the limit', async () => {
    const gates: Gate[] = [];
    let running = 0;
    let most = 0;
    const harness = await withCall(
      async () => {
        const gate = new Gate();
        gates.push(gate);
        running += 1;
        most = Math.max(most, running);
        await gate.promise;
        running -= 1;
      },
      { egress: { operationTimeoutMs: 100, maxConcurrentOperations: 3 } },
    );
    const records = await harness.accept(numbers(30));
    await harness.advance(300_000);
    expect(statusOf(harness)).toMatchObject({
      state: 'away',
      guard: { breaker: { state: 'open' }, abandoned: gates.length },
    });
    // Five: two have begun while the first three were timing out. With two of them left there is a probe.
    expect(gates).toHaveLength(5);
    for (const left of [4, 3, 3]) {
      gates.shift()!.open();
      await harness.advance();
      expect(gates).toHaveLength(left);
    }
    for (let i = 0; i < 2000 && harness.settled.length < 30; i += 1) {
      for (const gate of gates.splice(0)) gate.open();
      await harness.advance(50);
    }
    expect(most).toBeLessThanOrEqual(6);
    expect(endsOf(harness, records)).toEqual(new Set(['acknowledged']));
    expect(harness.leftovers()).toEqual({});
  });

  it('declares a stall while the breaker is not closed: the stage reopens slowly after it', async () => {
    const { harness, state } = await withOutage({ capacity: { AsyncEgress: 1000 } });
    const stalled = jest.spyOn(harness.controller, 'stalled');
    await harness.accept(numbers(20));
    await harness.advance(5000);
    expect(stalled.mock.calls).toEqual([['AsyncEgress', true]]);
    state.isAway = false;
    await harness.advance(36_000);
    expect(stalled.mock.calls).toEqual([
      ['AsyncEgress', true],
      ['AsyncEgress', false],
    ]);
  });

  it('has no timer left after the stop in the middle of an outage', async () => {
    const { harness } = await withOutage();
    await harness.accept(numbers(20));
    await harness.advance(5000);
    await harness.stop();
    expect(harness.clock.pendingTimers).toBe(0);
    expect(harness.books.journal.size).toBe(20);
  });
});
