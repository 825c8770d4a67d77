import fc from 'fast-check';
import {
  PendingAcknowledgments,
  type PendingEntry,
} from '../../src/final-sink/pending-acknowledgments.js';
import { FakeClock } from '../support/fake-clock.js';
import { failed, InMemorySink } from '../support/in-memory-sink.js';
import { StageHarness } from '../support/stage-harness.js';

const TIMEOUT_MS = 100;
const LIMIT = 5;

type Step =
  | { readonly do: 'open'; readonly count: number }
  /** Of the call's records, `acknowledged` modulo one more than it has are acknowledged. */
  | { readonly do: 'answer'; readonly which: number; readonly acknowledged: number }
  | { readonly do: 'advance'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('open' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ do: fc.constant('answer' as const), which: fc.nat(30), acknowledged: fc.nat(10) }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 150 }) }),
);

type State = 'pending' | 'answered' | 'timed-out';

/** The same rules, written as naively as possible. */
class Model {
  readonly entries: { dueMs: number; count: number; state: State }[] = [];
  acknowledged = 0;
  rejected = 0;
  late = 0;
  duplicates = 0;

  pending(): number {
    return this.recordsIn('pending');
  }

  expire(nowMs: number): void {
    for (const entry of this.entries) {
      if (entry.state === 'pending' && entry.dueMs <= nowMs) entry.state = 'timed-out';
    }
  }

  timedOut(): number {
    return this.recordsIn('timed-out');
  }

  /** Whether this answer decides. */
  settle(which: number, acknowledged: number): boolean {
    const entry = this.entries[which]!;
    const isFirst = entry.state === 'pending';
    if (entry.state === 'timed-out') this.late += entry.count;
    else if (entry.state === 'answered') this.duplicates += entry.count;
    else {
      entry.state = 'answered';
      this.acknowledged += acknowledged;
      this.rejected += entry.count - acknowledged;
    }
    return isFirst;
  }

  private recordsIn(state: State): number {
    const found = this.entries.filter((entry) => entry.state === state);
    return found.reduce((sum, { count }) => sum + count, 0);
  }
}

describe('PendingAcknowledgments', () => {
  it('does what a naive model does, whatever answers come in whatever order (PA1–PA3)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clock = new FakeClock();
        const model = new Model();
        let timeouts = 0;
        const real = new PendingAcknowledgments<number>({
          limit: LIMIT,
          timeoutMs: TIMEOUT_MS,
          clock,
          onTimeout: ({ items }) => (timeouts += items.length),
        });
        const opened: PendingEntry<number>[] = [];
        const perform = (each: Step): { real: unknown; model: unknown } => {
          if (each.do === 'open') {
            const hasRoom = model.pending() + each.count <= LIMIT;
            const entry = real.open(Array<number>(each.count).fill(opened.length));
            if (entry !== undefined) {
              opened.push(entry);
              const dueMs = clock.now() + TIMEOUT_MS;
              model.entries.push({ dueMs, count: each.count, state: 'pending' });
            }
            return { real: entry !== undefined, model: hasRoom };
          }
          if (each.do === 'advance') {
            clock.advance(each.ms);
            model.expire(clock.now());
            return { real: timeouts, model: model.timedOut() };
          }
          if (opened.length === 0) return { real: 'nothing to answer', model: 'nothing to answer' };
          const which = each.which % opened.length;
          const entry = opened[which]!;
          const yes = each.acknowledged % (entry.items.length + 1);
          return { real: real.settle(entry, yes), model: model.settle(which, yes) };
        };
        for (const each of steps) {
          const done = perform(each);
          expect(done.real).toBe(done.model);
          const { pending, acknowledged, rejected, timedOut, late, duplicates } = real.snapshot();
          expect(pending).toBe(model.pending());
          expect({ acknowledged, rejected, late, duplicates }).toEqual({
            acknowledged: model.acknowledged,
            rejected: model.rejected,
            late: model.late,
            duplicates: model.duplicates,
          });
          const openedRecords = opened.reduce((sum, { items }) => sum + items.length, 0);
          expect(pending + acknowledged + rejected + timedOut).toBe(openedRecords);
          expect(timeouts).toBe(timedOut);
          expect(pending).toBeLessThanOrEqual(LIMIT);
        }
      }),
    );
  });
});

/**
 * What the sink does with a record at each attempt; the last one repeats. After `final` it says nothing else: a destination
 * that refuses a record for what it is takes it at no later attempt either.
 */
const behaviour = fc
  .array(fc.constantFrom('ack', 'retryable', 'outage', 'busy', 'final', 'silent', 'late'), {
    minLength: 1,
    maxLength: 4,
  })
  .map((plan) => plan.slice(0, [...plan, 'final'].indexOf('final') + 1));

describe('FinalSink', () => {
  it('gives each record one end, keeps the order of a key, and all credits come back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', undefined), plan: behaviour }), {
          minLength: 1,
          maxLength: 30,
        }),
        fc.boolean(),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 10 }),
        async (plans, isOrdered, maxBatchRecords, maxPendingAcknowledgments) => {
          const sink = new InMemorySink({ isOrdered, maxBatchRecords });
          const attempts = plans.map(() => 0);
          const harness = await new StageHarness({
            sink,
            finalSink: { maxPendingAcknowledgments, acknowledgmentTimeoutMs: 500 },
            capacity: { FinalSink: 12 },
          }).start();
          sink.answer = ({ payload }) => {
            const index = payload as number;
            const { plan } = plans[index]!;
            const word = plan[Math.min(attempts[index]!, plan.length - 1)]!;
            attempts[index]! += 1;
            // An outage that never ends would hold the record for ever, as it must.
            const isOver = attempts[index]! > 6 && word !== 'final';
            if (isOver || word === 'ack') return { kind: 'acknowledged' };
            if (word === 'silent') return undefined;
            if (word !== 'late') return failed(word, { retryAfterMs: 50 });
            return new Promise((resolve) => {
              harness.clock.setTimer(700, () => resolve({ kind: 'acknowledged' }));
            });
          };
          const records = await harness.accept(
            plans.map((_, i) => i),
            { keys: plans.map(({ key }) => key) },
          );
          // The breaker opens for up to 36 s between two probes.
          for (let s = 0; s < 300 && harness.settled.length < plans.length; s += 1) {
            await harness.advance(36_000);
          }
          await harness.advance(2000);
          expect(harness.leftovers()).toEqual({});
          expect(harness.settled.map(({ id }) => id).toSorted()).toEqual(
            records.map(({ id }) => id).toSorted(),
          );
          expect(harness.books.ended.size).toBe(records.length);
          for (const key of ['a', 'b', 'c']) {
            const sent = records.filter(
              (each) => each.key === key && harness.endOf(each) === 'acknowledged',
            );
            const ids = new Set(sent.map(({ id }) => id));
            // A late answer may repeat a delivery; what counts is the first one.
            const arrived = new Set(sink.arrivals.filter((id) => ids.has(id)));
            expect([...arrived]).toEqual([...ids]);
          }
          const { pending } = harness.finalSink.snapshot();
          expect(pending).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});
