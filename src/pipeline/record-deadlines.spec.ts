import { failed, InMemorySink } from '../../test/support/in-memory-sink.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { InMemoryBooks } from '../../test/support/in-memory-ledger.js';
import { makeRecord } from '../../test/support/ledger.js';
import { Gate, type HarnessOptions, StageHarness } from '../../test/support/stage-harness.js';
import type { PipelineRecord } from './record.js';

const AWAY = Object.assign(new Error('away'), { code: 'ECONNREFUSED' });
const EXPIRED = 'discarded: expired';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const ends = (harness: StageHarness, records: readonly PipelineRecord[]): (string | undefined)[] =>
  records.map((record) => harness.endOf(record));

/** Accepts records whose deadline is `inMs` from now. */
function accept(
  harness: StageHarness,
  count: number,
  inMs: number,
  keys: readonly string[] = [],
): Promise<PipelineRecord[]> {
  const fields = { expiresAtMs: harness.clock.wallNow() + inMs };
  return harness.accept(numbers(count), { keys, fields });
}

describe('the deadline of an accepted record', () => {
  describe('at the external call', () => {
    const start = (egress: () => unknown, options: HarnessOptions = {}): Promise<StageHarness> =>
      new StageHarness({ ...options, definition: { egress } }).start();

    it('passes without effect when the record has ended', async () => {
      const harness = await start(() => undefined);
      const records = await accept(harness, 3, 100);
      await harness.advance(1000);
      expect(ends(harness, records)).toEqual(['acknowledged', 'acknowledged', 'acknowledged']);
      expect(harness.leftovers()).toEqual({});
    });

    it('ends a record that waits for a permit, and never a call that runs (EC6)', async () => {
      const gate = new Gate();
      const called: string[] = [];
      const egress = async (): Promise<void> => {
        called.push('call');
        await gate.promise;
      };
      const harness = await start(egress, { egress: { maxConcurrentOperations: 1 } });
      const records = await accept(harness, 3, 100);
      await harness.advance(200);
      expect(ends(harness, records)).toEqual([undefined, EXPIRED, EXPIRED]);
      gate.open();
      await harness.advance();
      expect(called).toHaveLength(1);
      // The call was made; the delivery begins after the deadline.
      expect(ends(harness, records)).toEqual([EXPIRED, EXPIRED, EXPIRED]);
      expect(harness.leftovers()).toEqual({});
    });

    it('ends records behind an open breaker, each on its own one, keyed or not, and keeps the others', async () => {
      let isAway = true;
      const harness = await start(() => {
        if (isAway) throw AWAY;
      });
      const keys = ['a', 'a', 'b', 'b'];
      const undated = await harness.accept([8, 9], { keys: ['a', 'c'] });
      const soon = await accept(harness, 4, 10_000, keys);
      const later = await accept(harness, 4, 40_000, keys);
      await harness.advance(9999);
      expect(ends(harness, soon)).toEqual(keys.map(() => undefined));
      await harness.advance(3000);
      expect(ends(harness, soon)).toEqual(keys.map(() => EXPIRED));
      expect(ends(harness, later)).toEqual(keys.map(() => undefined));
      expect(harness.outstanding('AsyncEgress')).toBe(6);
      await harness.advance(60_000);
      expect(ends(harness, later)).toEqual(keys.map(() => EXPIRED));
      isAway = false;
      await harness.advance(60_000);
      expect(ends(harness, undated)).toEqual(['acknowledged', 'acknowledged']);
      expect(harness.leftovers()).toEqual({});
    });

    it('ends a record in its back-off, and lets the next one of its key go on', async () => {
      const attempts: unknown[] = [];
      const harness = new StageHarness({
        definition: {
          egress: (payload: never) => {
            attempts.push(payload);
            if (payload === 0) throw Object.assign(new Error('failed'), { status: 500 });
          },
        },
        egress: { baseRetryDelayMs: 10_000, maxRetryDelayMs: 10_000 },
      });
      await harness.start();
      const [first] = await accept(harness, 1, 1000, ['k']);
      const [next] = await harness.accept([1], { keys: ['k'] });
      await harness.advance(999);
      expect(attempts).toEqual([0]);
      await harness.advance(1);
      expect(ends(harness, [first!, next!])).toEqual([EXPIRED, 'acknowledged']);
      expect(attempts).toEqual([0, 1]);
      expect(harness.leftovers()).toEqual({});
    });

    it('ends a record whose attempt fails after it, without another one', async () => {
      let calls = 0;
      const gate = new Gate();
      const harness = await start(() => {
        calls += 1;
        return gate.promise;
      });
      const records = await accept(harness, 1, 100);
      await harness.advance(200);
      gate.fail(Object.assign(new Error('failed'), { status: 500 }));
      await harness.advance(60_000);
      expect([calls, ...ends(harness, records)]).toEqual([1, EXPIRED]);
      expect(harness.leftovers()).toEqual({});
    });
  });

  describe.each([true, false])('at a sink (ordered: %s)', (isOrdered) => {
    it('ends records that wait while the destination is away, and delivers the others (DV8)', async () => {
      let isAway = true;
      const sink = new InMemorySink({ isOrdered, maxBatchRecords: 2 });
      sink.answer = () => (isAway ? failed('outage') : { kind: 'acknowledged' });
      const harness = await new StageHarness({ sink }).start();
      const keys = ['a', 'a', 'b', 'c', 'c'];
      const undated = await harness.accept([8, 9], { keys: ['a', 'd'] });
      const dated = await accept(harness, 5, 5000, keys);
      await harness.advance(20_000);
      expect(ends(harness, dated)).toEqual(keys.map(() => EXPIRED));
      expect(harness.outstanding('FinalSink')).toBe(2);
      isAway = false;
      await harness.advance(60_000);
      expect(ends(harness, undated)).toEqual(['acknowledged', 'acknowledged']);
      expect(sink.arrivals).toEqual(undated.map(({ id }) => id));
      expect(harness.leftovers()).toEqual({});
    });

    it('ends a record when its turn comes after it, and none that the sink has in hand', async () => {
      const gate = new Gate();
      const sink = new InMemorySink({ isOrdered, maxBatchRecords: 1 });
      sink.answer = async () => {
        await gate.promise;
        return { kind: 'acknowledged' };
      };
      const finalSink = { maxPendingAcknowledgments: 1 };
      const harness = await new StageHarness({ sink, finalSink }).start();
      const records = await accept(harness, 2, 100);
      await harness.advance(200);
      expect(ends(harness, records)).toEqual([undefined, EXPIRED]);
      gate.open();
      await harness.advance();
      expect(ends(harness, records)).toEqual(['acknowledged', EXPIRED]);
      expect(harness.leftovers()).toEqual({});
    });
  });

  it('holds across a restart: what was carried on too late is discarded, not delivered', async () => {
    const books = new InMemoryBooks();
    const nowMs = new FakeClock().wallNow();
    const [late, inTime] = [-1, 60_000].map((ms) => makeRecord({ expiresAtMs: nowMs + ms }));
    for (const record of [late!, inTime!]) books.journal.set(record.id, record);
    const restarted = await new StageHarness({ books }).start();
    await restarted.advance(1000);
    expect(ends(restarted, [late!, inTime!])).toEqual([EXPIRED, 'acknowledged']);
    expect((restarted.sink as InMemorySink).arrivals).toEqual([inTime!.id]);
    expect(restarted.leftovers()).toEqual({});
  });

  it('makes no dead letter, also where those are off or full', async () => {
    const sink = new InMemorySink();
    sink.answer = () => failed('outage');
    const harness = await new StageHarness({ sink, maxDeadLetters: 0 }).start();
    const records = await accept(harness, 1, 100);
    await harness.advance(10_000);
    expect(ends(harness, records)).toEqual([EXPIRED]);
    expect(harness.settlement.isBlocked).toBe(false);
  });
});
