import type { EgressContext } from '../pipeline/definition.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { Gate, StageHarness, type HarnessOptions } from '../../test/support/stage-harness.js';
import { InMemorySink } from '../../test/support/in-memory-sink.js';

type Egress = (payload: never, context: EgressContext) => unknown;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

function withCall(egress: Egress, options: HarnessOptions = {}): Promise<StageHarness> {
  return new StageHarness({ ...options, definition: { ...options.definition, egress } }).start();
}

const answering =
  (status: number, more: object = {}): Egress =>
  () => {
    throw Object.assign(new Error(`answered ${status}`), { status, ...more });
  };

const delivered = (harness: StageHarness): string[] => [
  ...(harness.sink as InMemorySink).rows.keys(),
];
const ends = (harness: StageHarness, records: readonly PipelineRecord[]): (string | undefined)[] =>
  records.map((record) => harness.endOf(record));

describe('AsyncEgress without a call', () => {
  it('passes slices on as they are', async () => {
    const harness = await new StageHarness().start();
    const records = await harness.accept(numbers(300));
    await harness.advance();
    expect((harness.sink as InMemorySink).batches).toEqual([300]);
    expect(harness.egress.snapshot()).toBeUndefined();
    expect(delivered(harness)).toEqual(records.map(({ id }) => id));
    expect(harness.leftovers()).toEqual({});
  });
});

describe('AsyncEgress with a call', () => {
  it('replaces the payload and its bytes by the result; undefined and the same object keep them', async () => {
    const harness = await withCall((n: number) => [{ replaced: n }, undefined, n][n]);
    const records = await harness.accept([0, 1, 2], {
      bodies: [Buffer.from('0 '), Buffer.from('1 ')],
    });
    await harness.advance();
    expect(records.map(({ body }) => body?.toString())).toEqual(['{"replaced":0}', '1 ', '2']);
    expect(records[0]?.payload).toEqual({ replaced: 0 });
  });

  it('gives the call the record’s id, key, headers, attempt and signal', async () => {
    const seen: EgressContext[] = [];
    const harness = await withCall((_, context) => void seen.push(context));
    const [record] = await harness.accept([1], { keys: ['k'] });
    expect(seen).toEqual([
      {
        signal: expect.any(AbortSignal),
        http: expect.anything(),
        attempt: 1,
        recordId: record?.id,
        key: 'k',
        headers: {},
      },
    ]);
  });

  it('runs at most EGRESS_MAX_CONCURRENT_OPERATIONS calls, and keeps the credits of all', async () => {
    const gate = new Gate();
    const harness = await withCall(() => gate.promise, { egress: { maxConcurrentOperations: 3 } });
    await harness.accept(numbers(10));
    expect(harness.egress.snapshot()).toMatchObject({ inside: 10, running: 3 });
    expect(harness.outstanding('AsyncEgress')).toBe(10);
    gate.open();
    await harness.advance();
    expect(harness.settled).toHaveLength(10);
    expect(harness.leftovers()).toEqual({});
  });

  it('calls one record of a key at a time, other keys in parallel, and delivers a key in order', async () => {
    const running = new Map<number, Gate>();
    const harness = await withCall((n: number) => {
      const gate = new Gate();
      running.set(n, gate);
      return gate.promise;
    });
    const records = await harness.accept(numbers(4), { keys: ['a', 'a', 'b', undefined] });
    expect([...running.keys()]).toEqual([0, 2, 3]);
    running.get(3)?.open();
    running.get(0)?.open();
    await harness.advance();
    expect([...running.keys()]).toEqual([0, 2, 3, 1]);
    running.get(2)?.open();
    running.get(1)?.open();
    await harness.advance();
    const keyA = delivered(harness).filter((id) => records.slice(0, 2).some((r) => r.id === id));
    expect(keyA).toEqual([records[0]?.id, records[1]?.id]);
  });

  it('frees the permit while a record backs off, and holds back its key', async () => {
    const calls: string[] = [];
    const egress = (name: string, { attempt }: EgressContext): void => {
      calls.push(`${name} ${attempt}`);
      if (name === 'bad' && attempt === 1) throw new Error('once');
    };
    const harness = await withCall(egress, { egress: { maxConcurrentOperations: 1 } });
    await harness.accept(['bad', 'behind', 'other'], { keys: ['a', 'a', 'b'] });
    await harness.advance();
    expect(calls).toEqual(['bad 1', 'other 1']);
    expect(harness.egress.snapshot()).toMatchObject({ running: 0, waitingForRetry: 1 });
    await harness.advance(2000);
    expect(calls).toEqual(['bad 1', 'other 1', 'bad 2', 'behind 1']);
    expect(harness.leftovers()).toEqual({});
  });

  it('makes exactly one dead letter when attempts are used up, and delivers nothing (EGRESS_MAX_RETRIES)', async () => {
    for (const maxRetries of [1, 3]) {
      let calls = 0;
      const egress = (): never => {
        calls += 1;
        throw new Error('always');
      };
      const harness = await withCall(egress, { egress: { maxRetries } });
      const records = await harness.accept([1]);
      await harness.advance(60_000);
      expect(calls).toBe(maxRetries);
      expect(ends(harness, records)).toEqual(['dead-lettered: attempts-used-up']);
      expect(delivered(harness)).toEqual([]);
      expect(records[0]?.failures).toHaveLength(maxRetries);
      expect(records[0]?.failures?.[0]).toMatchObject({
        stage: 'AsyncEgress',
        destination: 'egress',
        error: 'Error: always',
      });
      expect(harness.leftovers()).toEqual({});
    }
  });

  it('returns every credit of a thousand failing records', async () => {
    const harness = await withCall(answering(400), { capacity: { AsyncEgress: 100 } });
    const records = await harness.accept(numbers(1000));
    await harness.advance(20_000);
    expect(new Set(ends(harness, records))).toEqual(new Set(['dead-lettered: rejected']));
    expect(harness.settled).toHaveLength(1000);
    expect(harness.leftovers()).toEqual({});
  });

  it.each([400, 404, 422, 301])('does not repeat a call that was answered %d', async (status) => {
    const harness = await withCall(answering(status));
    const records = await harness.accept([1]);
    await harness.advance();
    expect(ends(harness, records)).toEqual(['dead-lettered: rejected']);
    expect(records[0]?.failures).toMatchObject([{ status }]);
  });

  it.each([500, 408, 425])('spends an attempt on %d', async (status) => {
    const harness = await withCall(answering(status));
    const records = await harness.accept([1]);
    await harness.advance(60_000);
    expect(ends(harness, records)).toEqual(['dead-lettered: attempts-used-up']);
  });

  it.each([
    ['a refused connection', Object.assign(new Error('x'), { code: 'ECONNREFUSED' })],
    [
      'a cut connection behind fetch',
      new TypeError('fetch failed', {
        cause: Object.assign(new Error('x'), { code: 'UND_ERR_SOCKET' }),
      }),
    ],
    ['503 from a destination that serves nobody', Object.assign(new Error('x'), { status: 503 })],
  ])('holds a record through %s without using up attempts', async (_, error) => {
    let isAway = true;
    let calls = 0;
    const harness = await withCall(() => {
      calls += 1;
      if (isAway) throw error;
    });
    const records = await harness.accept([1]);
    await harness.advance(60_000);
    expect(calls).toBeGreaterThan(10);
    expect(records[0]).toMatchObject({ attempts: 0, terminal: undefined });
    expect(records[0]?.failures?.length).toBeGreaterThan(10);
    isAway = false;
    // The breaker's longest time between two probes, here without jitter.
    await harness.advance(30_000);
    expect(ends(harness, records)).toEqual(['acknowledged']);
    expect(harness.leftovers()).toEqual({});
  });

  it('charges a record whose calls go unanswered while others succeed', async () => {
    const egress = (name: string): void => {
      if (name === 'bad') throw Object.assign(new Error('x'), { status: 503 });
    };
    const harness = await withCall(egress);
    const [bad] = await harness.accept(['bad']);
    for (let i = 0; i < 30; i += 1) {
      await harness.accept(['good']);
      await harness.advance(1000);
    }
    expect(harness.endOf(bad!)).toBe('dead-lettered: attempts-used-up');
  });

  it('waits as long as a busy destination asks, at no cost', async () => {
    let calls = 0;
    const egress = (): void => {
      calls += 1;
      if (calls === 1) throw Object.assign(new Error('x'), { status: 429, retryAfterMs: 5000 });
    };
    const harness = await withCall(egress, { egress: { maxRetries: 1 } });
    const records = await harness.accept([1]);
    await harness.advance(4999);
    expect(calls).toBe(1);
    await harness.advance(1);
    expect(ends(harness, records)).toEqual(['acknowledged']);
  });

  it('backs off by EGRESS_BASE_RETRY_DELAY_MS, doubling up to EGRESS_MAX_RETRY_DELAY_MS', async () => {
    const at: number[] = [];
    const harness = await withCall(
      () => {
        at.push(harness.clock.now());
        throw new Error('always');
      },
      {
        random: () => 0.999_999,
        egress: { baseRetryDelayMs: 100, maxRetryDelayMs: 250, maxRetries: 5 },
      },
    );
    await harness.accept([1]);
    await harness.advance(10_000);
    const delays = at.slice(1).map((moment, i) => Math.round(moment - at[i]!));
    expect(delays).toEqual([100, 200, 250, 250]);
  });

  it('draws the whole back-off at random: those that failed together do not return together', async () => {
    const at: number[] = [];
    const draws = [0.1, 0.9];
    const harness = await withCall(
      (_, { attempt }) => {
        if (attempt === 1) throw new Error('once');
        at.push(harness.clock.now());
      },
      { random: () => draws.shift() ?? 0 },
    );
    await harness.accept(numbers(2), { keys: ['a', 'b'] });
    await harness.advance(1000);
    expect(at.map(Math.round)).toEqual([10, 90]);
  });

  it('ends an attempt at EGRESS_OPERATION_TIMEOUT_MS and aborts its signal', async () => {
    const signals: AbortSignal[] = [];
    const harness = await withCall(
      (_, { signal }) => {
        signals.push(signal);
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        });
      },
      { egress: { operationTimeoutMs: 300 } },
    );
    const [record] = await harness.accept([1]);
    await harness.advance(299);
    expect(signals[0]?.aborted).toBe(false);
    await harness.advance(1);
    expect(signals[0]?.aborted).toBe(true);
    expect(record?.failures).toMatchObject([{ error: 'No answer within 300 ms.' }]);
    expect(harness.egress.snapshot()).toMatchObject({ abandoned: 0, abandonedTotal: 1 });
  });

  it('takes the permit from a call that ignores its signal, counts it, and runs at most twice the limit', async () => {
    const gates: Gate[] = [];
    const harness = await withCall(
      () => {
        const gate = new Gate();
        gates.push(gate);
        return gate.promise;
      },
      { egress: { operationTimeoutMs: 100, maxConcurrentOperations: 2 } },
    );
    await harness.accept(numbers(9));
    await harness.advance(10_000);
    expect(gates.length).toBeLessThanOrEqual(4);
    expect(harness.egress.snapshot()).toMatchObject({ running: 0, abandoned: gates.length });
    for (const gate of gates.splice(0)) gate.open();
    await harness.advance(50);
    expect(gates).toHaveLength(1);
    expect(harness.outstanding('AsyncEgress')).toBe(9);
  });

  it('ignores the result of a call that comes after its timeout', async () => {
    const first = new Gate<string>();
    let calls = 0;
    const harness = await withCall(
      () => {
        calls += 1;
        return calls === 1 ? first.promise : 'second';
      },
      { egress: { operationTimeoutMs: 100 } },
    );
    const [record] = await harness.accept([1]);
    await harness.advance(1000);
    first.open('too late');
    await harness.advance();
    expect(record?.payload).toBe('second');
    expect(harness.settled).toEqual([record]);
    expect(harness.egress.snapshot()).toMatchObject({ abandoned: 0 });
  });

  it.each([
    ['a bigint', 1n],
    ['a function', () => 1],
  ])('dead-letters a record whose call returns %s: it can’t be delivered', async (_, result) => {
    const harness = await withCall(() => result);
    const records = await harness.accept([1]);
    await harness.advance();
    expect(ends(harness, records)).toEqual(['dead-lettered: rejected']);
    expect(harness.leftovers()).toEqual({});
  });

  it('discards instead of keeping dead letters when told (EGRESS_ENABLE_DEAD_LETTER_QUEUE)', async () => {
    const harness = await withCall(answering(400), { egress: { enableDeadLetterQueue: false } });
    const records = await harness.accept([1]);
    await harness.advance();
    expect(ends(harness, records)).toEqual(['discarded: no-dead-letters']);
    expect(harness.leftovers()).toEqual({});
  });

  it('starts no call while dead letters are full, drops nothing, and goes on when there is room', async () => {
    let calls = 0;
    const egress = (): never => {
      calls += 1;
      throw Object.assign(new Error('x'), { status: 400 });
    };
    const harness = await withCall(egress, {
      egress: { maxConcurrentOperations: 1 },
      maxDeadLetters: 2,
    });
    const records = await harness.accept(numbers(5));
    await harness.advance(10_000);
    const callsUntilFull = calls;
    expect(callsUntilFull).toBeLessThan(5);
    await harness.advance(60_000);
    expect(calls).toBe(callsUntilFull);
    expect(harness.settlement.isBlocked).toBe(true);
    expect(ends(harness, records).filter((end) => end !== undefined)).toHaveLength(2);
    expect(harness.outstanding('AsyncEgress')).toBe(3);
    harness.maxDeadLetters = 10;
    await harness.advance(1000);
    expect(new Set(ends(harness, records))).toEqual(new Set(['dead-lettered: rejected']));
    expect(harness.leftovers()).toEqual({});
  });

  it('leaves a record to the journal whose dead letter the ledger can’t take any more', async () => {
    const harness = await withCall(answering(400));
    jest.spyOn(harness.acknowledgments, 'finish').mockRejectedValue(new Error('stopped'));
    const [record] = await harness.accept([1]);
    await harness.advance();
    expect(harness.books.journal.has(record!.id)).toBe(true);
    expect(harness.settled).toEqual([]);
    expect(harness.leftovers()).toEqual({});
  });

  it('reads critical when its calls hang, though nothing has failed', async () => {
    const harness = await withCall(() => new Promise(() => undefined), {
      capacity: { AsyncEgress: 100 },
      egress: { operationTimeoutMs: 60_000 },
    });
    await harness.accept(numbers(100));
    await harness.advance(3000);
    harness.controller.evaluate();
    const { stages } = harness.controller.getPipelineStatus();
    expect(stages.find(({ stage }) => stage === 'AsyncEgress')).toMatchObject({
      level: 'critical',
    });
  });

  it('aborts running calls at the stop, and neither retries nor ends their records', async () => {
    const signals: AbortSignal[] = [];
    const harness = await withCall((n: number, { signal }) => {
      signals.push(signal);
      if (n === 0) throw new Error('backs off');
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    });
    await harness.accept(numbers(2));
    await harness.stop();
    await harness.advance(60_000);
    expect(signals).toHaveLength(2);
    expect(signals[1]?.aborted).toBe(true);
    expect(harness.books.journal.size).toBe(2);
    expect(harness.clock.pendingTimers).toBe(0);
  });

  it('drains while calls run, and gives up on what only waits', async () => {
    const gate = new Gate();
    const harness = await withCall(() => gate.promise, { egress: { operationTimeoutMs: 4000 } });
    await harness.accept([1]);
    let isDrained = false;
    void harness.egress.drain(harness.clock.now() + 10_000).then(() => (isDrained = true));
    await harness.advance(3000);
    expect(isDrained).toBe(false);
    gate.open();
    await harness.advance(100);
    expect(isDrained).toBe(true);
  });
});
