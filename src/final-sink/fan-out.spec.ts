import { InMemoryAcknowledgments, InMemoryBooks } from '../../test/support/in-memory-ledger.js';
import { failed, InMemorySink } from '../../test/support/in-memory-sink.js';
import { Gate, type HarnessOptions, StageHarness } from '../../test/support/stage-harness.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { PostgresSink } from './sinks/postgres.sink.js';
import type { DeliveryOutcome, RoutedSink } from './sinks/sink.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const ACKNOWLEDGED: DeliveryOutcome = { kind: 'acknowledged' };
const KAFKA = { source: 'kafka', verdict: { kind: 'accepted' } } as const;

const required = (sink: RoutedSink['sink']): RoutedSink => ({ sink, isRequired: true });
const optional = (sink: RoutedSink['sink']): RoutedSink => ({ sink, isRequired: false });
const named = (name: string): InMemorySink => new InMemorySink({ name });

async function withSinks(
  sinks: readonly RoutedSink[],
  options: HarnessOptions = {},
): Promise<StageHarness> {
  return new StageHarness({ ...options, sinks }).start();
}

/** Names of the destinations that have a part in the books. */
const partsOf = (harness: StageHarness, { id }: PipelineRecord): readonly string[] => [
  ...(harness.books.parts.get(id)?.keys() ?? []),
];

describe('FinalSink with several sinks', () => {
  it('ends a record when all have acknowledged it, with a part in the books for each before (FO1)', async () => {
    const [a, b] = [named('a'), named('b')];
    const gate = new Gate<DeliveryOutcome>();
    b.answer = () => gate.promise;
    const harness = await withSinks([required(a), required(b)]);
    const [record] = await harness.accept([1]);
    await harness.advance(1000);
    expect(partsOf(harness, record!)).toEqual(['a']);
    expect(harness.settled).toEqual([]);
    expect(harness.outstanding('FinalSink')).toBe(1);
    gate.open({ kind: 'acknowledged', externalId: 'row 7' });
    await harness.advance();
    expect(harness.settled).toEqual([record]);
    expect(harness.books.ended.get(record!.id)).toMatchObject({
      destination: 'b',
      externalId: 'row 7',
      step: 'last',
      others: [{ destination: 'a', attempts: 1 }],
    });
    expect(harness.leftovers()).toEqual({});
  });

  it('gives each sink its own attempts, failures and order, and the record none of them', async () => {
    const [steady, shaky] = [named('steady'), named('shaky')];
    let calls = 0;
    shaky.answer = () => {
      calls += 1;
      return calls === 1 ? failed('retryable') : ACKNOWLEDGED;
    };
    const harness = await withSinks([required(steady), required(shaky)]);
    const [record] = await harness.accept([1]);
    await harness.advance(5000);
    expect(harness.books.ended.get(record!.id)).toMatchObject({
      destination: 'shaky',
      attempts: 2,
      others: [{ destination: 'steady', attempts: 1 }],
    });
    expect(record).toMatchObject({ attempts: 0, failures: undefined });
  });

  it('keeps the order of a key at each sink, whatever the others do', async () => {
    const [slow, fast] = [named('slow'), named('fast')];
    const gates: Gate<DeliveryOutcome>[] = [];
    slow.answer = () => {
      const gate = new Gate<DeliveryOutcome>();
      gates.push(gate);
      return gate.promise;
    };
    const harness = await withSinks([required(slow), required(fast)]);
    const records = await harness.accept(numbers(3), { keys: ['k', 'k', 'k'] });
    await harness.advance();
    const ids = records.map(({ id }) => id);
    expect(fast.arrivals).toEqual(ids);
    for (let i = 0; i < 3; i += 1) {
      gates[i]!.open(ACKNOWLEDGED);
      await harness.advance();
    }
    expect(slow.arrivals).toEqual(ids);
    expect(harness.settled).toEqual(records);
    expect(harness.leftovers()).toEqual({});
  });

  it('dead-letters a record that one sink gave up, when all have answered, with a letter for each that did (FO1)', async () => {
    const [a, b, c] = [named('a'), named('b'), named('c')];
    const gate = new Gate<DeliveryOutcome>();
    a.answer = () => failed('final');
    b.answer = () => failed('final', { reason: 'pipeline' });
    c.answer = () => gate.promise;
    const harness = await withSinks([required(a), required(b), required(c)]);
    const [record] = await harness.accept([1]);
    await harness.advance(1000);
    expect(harness.endOf(record!)).toBeUndefined();
    gate.open(ACKNOWLEDGED);
    await harness.advance();
    expect(harness.books.ended.get(record!.id)).toMatchObject({
      destination: 'a',
      terminal: { status: 'dead-lettered', reason: 'rejected' },
      others: [
        { destination: 'b', terminal: { status: 'dead-lettered', reason: 'pipeline' } },
        { destination: 'c', terminal: { status: 'acknowledged' } },
      ],
    });
    expect(partsOf(harness, record!)).toEqual(['c']);
    expect(record!.failures).toMatchObject([{ destination: 'a' }]);
    expect(harness.settled).toEqual([record]);
    expect(harness.leftovers()).toEqual({});
  });

  describe('when its deadline passes', () => {
    const EXPIRES_AFTER_MS = 1000;
    /** Two sinks: the first answers as told, the other one not before the deadline, and then with an outage. */
    const expireWith = async (first: () => DeliveryOutcome, options: HarnessOptions = {}) => {
      const [a, late] = [named('a'), named('late')];
      const gate = new Gate<DeliveryOutcome>();
      a.answer = first;
      late.answer = () => gate.promise;
      const harness = await withSinks([required(a), required(late)], options);
      const expiresAtMs = harness.clock.wallNow() + EXPIRES_AFTER_MS;
      const [record] = await harness.accept([1], { fields: { expiresAtMs } });
      await harness.advance(EXPIRES_AFTER_MS);
      gate.open(failed('outage'));
      await harness.advance(EXPIRES_AFTER_MS);
      expect(harness.settled).toEqual([record]);
      expect(harness.leftovers()).toEqual({});
      return { harness, ending: harness.books.ended.get(record!.id)!, record: record! };
    };

    it('is discarded where it expired at one sink, and keeps the acknowledgment of the other; no letter (FO1)', async () => {
      const { ending, harness, record } = await expireWith(() => ACKNOWLEDGED);
      expect(ending).toMatchObject({
        destination: 'late',
        terminal: { status: 'discarded', reason: 'expired' },
        others: [{ destination: 'a', terminal: { status: 'acknowledged' } }],
      });
      expect(partsOf(harness, record)).toEqual(['a']);
    });

    it('is dead-lettered where another sink gave it up, with the letter of that one only (FO1)', async () => {
      const { ending } = await expireWith(() => failed('final'));
      expect(ending).toMatchObject({
        destination: 'a',
        terminal: { status: 'dead-lettered', reason: 'rejected' },
      });
      expect(ending.others).toEqual([]);
    });

    it('is discarded when it expired at all, once, without a letter (FO1)', async () => {
      const { ending } = await expireWith(() => failed('outage'));
      expect(ending.terminal).toEqual({ status: 'discarded', reason: 'expired' });
      expect(ending.others).toEqual([]);
    });
  });

  it('discards it where dead letters are not kept, and no letter with it', async () => {
    const [a, b] = [named('a'), named('b')];
    a.answer = () => failed('final');
    b.answer = () => failed('final');
    const harness = await withSinks([required(a), required(b)], {
      egress: { enableDeadLetterQueue: false },
    });
    const [record] = await harness.accept([1]);
    await harness.advance(1000);
    expect(harness.endOf(record!)).toBe('discarded: no-dead-letters');
    expect(harness.books.ended.get(record!.id)!.others).toEqual([]);
  });

  it('holds the later records of a key back where an earlier one was given up, until that has its end (FO4)', async () => {
    const refusing = new InMemorySink({ name: 'refusing', maxBatchRecords: 1 });
    const slow = named('slow');
    const gate = new Gate<DeliveryOutcome>();
    refusing.answer = ({ payload }) => (payload === 0 ? failed('final') : ACKNOWLEDGED);
    slow.answer = ({ payload }) => (payload === 0 ? gate.promise : ACKNOWLEDGED);
    const harness = await withSinks([required(refusing), required(slow)]);
    const records = await harness.accept(numbers(3), { keys: ['k', 'k', 'other'] });
    await harness.advance(1000);
    expect(refusing.arrivals).toEqual([records[2]!.id]);
    gate.open(ACKNOWLEDGED);
    await harness.advance(1000);
    expect(harness.endOf(records[0]!)).toBe('dead-lettered: rejected');
    expect(refusing.arrivals).toEqual([records[2]!.id, records[1]!.id]);
    expect(harness.leftovers()).toEqual({});
  });

  it('delivers only to the sinks that still have to acknowledge a record, and ends one that has no such sink (FO2)', async () => {
    const [a, b] = [named('a'), named('b')];
    const harness = await withSinks([required(a), required(b)]);
    const deliver = (...names: readonly string[]) =>
      harness.accept([1], { fields: { deliverTo: new Set(names) } });
    const [one] = await deliver('b');
    const [none] = await deliver();
    const [renamed] = await deliver('c');
    await harness.advance();
    expect(a.arrivals).toEqual([]);
    expect(b.arrivals).toEqual([one!.id]);
    expect(harness.settled).toEqual(expect.arrayContaining([one, none, renamed]));
    expect(harness.books.ended.get(none!.id)).toMatchObject({ destination: '', step: 'last' });
    expect(harness.leftovers()).toEqual({});
  });

  it('carries a record on after a restart, to the sinks that have no part in the books', async () => {
    const books = new InMemoryBooks();
    const away = named('callback');
    away.answer = () => failed('outage');
    const before = await withSinks([required(named('postgres')), required(away)], { books });
    const [record] = await before.accept([1]);
    await before.advance(1000);
    await before.stop();
    const [postgres, callback] = [named('postgres'), named('callback')];
    const after = await withSinks([required(postgres), required(callback)], { books });
    const again = await after.journal.load([record!.id], record!.credit, record!.origin);
    expect(again[0]!.deliverTo).toEqual(new Set(['kafka', 'callback']));
    const lot = after.controller.requestCredits('FinalSink', 1, 1)!;
    after.finalSink.take({ records: again, admitByMs: Infinity }, lot);
    await after.advance(1000);
    expect(postgres.arrivals).toEqual([]);
    expect(callback.arrivals).toEqual([record!.id]);
    expect(after.endOf(record!)).toBe('acknowledged');
  });

  it('enters what Kafka brought with its end only: its broker brings it to all again', async () => {
    const [a, b] = [named('a'), named('b')];
    const gate = new Gate<DeliveryOutcome>();
    b.answer = () => gate.promise;
    const harness = await withSinks([required(a), required(b)]);
    const [record] = await harness.accept([1], { fields: KAFKA });
    await harness.advance();
    expect(partsOf(harness, record!)).toEqual([]);
    gate.open(ACKNOWLEDGED);
    await harness.advance();
    expect(harness.books.ended.get(record!.id)).toMatchObject({
      others: [{ destination: 'a' }],
    });
    expect(harness.leftovers()).toEqual({});
  });

  it('has the row of the Postgres sink and its part in one, and the end after it', async () => {
    const books = new InMemoryBooks();
    const acknowledgments = new InMemoryAcknowledgments(books);
    const postgres = new PostgresSink(acknowledgments, {
      name: 'postgres',
      isShared: true,
      table: 'delivered',
      ensureTable: async () => undefined,
    });
    const other = named('b');
    const gate = new Gate<DeliveryOutcome>();
    other.answer = () => gate.promise;
    const harness = await withSinks([required(postgres), required(other)], { books });
    const [record] = await harness.accept([1]);
    await harness.advance();
    expect(books.outputs.get('delivered')).toMatchObject([{ step: 'part', attempts: 1 }]);
    expect(books.journal.has(record!.id)).toBe(true);
    gate.open(ACKNOWLEDGED);
    await harness.advance();
    expect(harness.endOf(record!)).toBe('acknowledged');
    expect(harness.leftovers()).toEqual({});
  });

  it('acknowledges at the hand-over to all, at most once, when told (FINAL_SINK_REQUIRE_ACKNOWLEDGMENT)', async () => {
    const [a, b] = [named('a'), named('b')];
    b.answer = () => undefined;
    const harness = await withSinks([required(a), required(b)], {
      finalSink: { requireAcknowledgment: false },
    });
    const records = await harness.accept(numbers(3));
    await harness.advance();
    expect(harness.settled).toEqual(records);
    expect(harness.leftovers()).toEqual({});
  });

  it('leaves records to the journal whose parts and end the ledger can’t take any more', async () => {
    const harness = await withSinks([required(named('a')), required(named('b'))]);
    jest.spyOn(harness.acknowledgments, 'finish').mockRejectedValue(new Error('stopped'));
    const [record] = await harness.accept([1]);
    await harness.advance();
    expect(harness.books.journal.has(record!.id)).toBe(true);
    expect(harness.settled).toEqual([]);
    expect(harness.leftovers()).toEqual({});
  });

  it('goes on to the other sinks while an operator has paused one, and ends nothing before that has answered', async () => {
    const [a, b] = [named('a'), named('b')];
    const harness = await withSinks([required(a), required(b)]);
    const stalled = jest.spyOn(harness.controller, 'stalled');
    harness.runtime.pauses.set(['sink:b']);
    const records = await harness.accept(numbers(2));
    await harness.advance(1000);
    expect([a.arrivals.length, b.arrivals.length]).toEqual([2, 0]);
    expect(stalled).toHaveBeenLastCalledWith('FinalSink', true);
    harness.runtime.pauses.set([]);
    await harness.advance();
    expect(harness.settled).toEqual(records);
    expect(harness.leftovers()).toEqual({});
  });

  it('tells the pressure of the sink that holds most', async () => {
    const [idle, stuck] = [named('idle'), named('stuck')];
    stuck.answer = () => undefined;
    const harness = await withSinks([required(idle), required(stuck)]);
    const meter = harness.controller.meter('FinalSink');
    const inService = jest.spyOn(meter, 'inService');
    await harness.accept(numbers(5));
    await harness.advance();
    expect(inService).toHaveBeenLastCalledWith(5, 1000);
  });
});

describe('A sink that is not required', () => {
  it('neither holds back nor ends a record (FO3)', async () => {
    const [a, extra] = [named('a'), named('extra')];
    extra.answer = () => undefined;
    const harness = await withSinks([required(a), optional(extra)]);
    const records = await harness.accept(numbers(3), { keys: ['k', 'k', 'k'] });
    await harness.advance();
    expect(harness.settled).toEqual(records);
    expect(harness.leftovers()).toEqual({});
  });

  it('has an acknowledgment in the books when it acknowledged, also after the end', async () => {
    const extra = named('extra');
    const gate = new Gate<DeliveryOutcome>();
    extra.answer = () => gate.promise;
    const harness = await withSinks([required(named('a')), optional(extra)]);
    const [record] = await harness.accept([1]);
    await harness.advance();
    expect(harness.endOf(record!)).toBe('acknowledged');
    gate.open(ACKNOWLEDGED);
    await harness.advance();
    expect(partsOf(harness, record!)).toEqual(['extra']);
    expect(harness.settled).toHaveLength(1);
    expect(harness.leftovers()).toEqual({});
  });

  it('is charged every failure, an outage too, and what it gives up is counted and no dead letter', async () => {
    const extra = named('extra');
    extra.answer = () => failed('outage');
    const harness = await withSinks([required(named('a')), optional(extra)], {
      finalSink: { maxRetries: 2, outagePolicy: 'hold' },
    });
    const [record] = await harness.accept([1]);
    await harness.advance(10_000);
    expect(extra.batches).toEqual([1, 1]);
    expect(harness.endOf(record!)).toBe('acknowledged');
    const [, status] = harness.runtime.destinations.all();
    expect(status).toMatchObject({
      name: 'extra',
      bestEffort: { delivered: 0, skipped: 0, givenUp: 1 },
    });
    expect(harness.leftovers()).toEqual({});
  });

  it('gets no more than FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS records at a time; the others pass it by (BE1)', async () => {
    const extra = new InMemorySink({ name: 'extra', isOrdered: false, maxBatchRecords: 1 });
    const gate = new Gate<DeliveryOutcome>();
    extra.answer = () => gate.promise;
    const harness = await withSinks([required(named('a')), optional(extra)], {
      finalSink: { maxPendingAcknowledgments: 4 },
    });
    const bestEffort = () => harness.runtime.destinations.all()[1]!.bestEffort;
    const records = await harness.accept(numbers(10));
    await harness.advance();
    expect(harness.settled).toEqual(records);
    expect(bestEffort()).toEqual({ delivered: 0, skipped: 6, givenUp: 0 });
    gate.open(ACKNOWLEDGED);
    await harness.advance();
    await harness.accept([10]);
    await harness.advance();
    expect(bestEffort()).toEqual({ delivered: 5, skipped: 6, givenUp: 0 });
    expect(harness.leftovers()).toEqual({});
  });

  it('holds no more than 16 MiB of records that have ended, but for a single one (BE1)', async () => {
    const extra = new InMemorySink({ name: 'extra', isOrdered: false, maxBatchRecords: 1 });
    extra.answer = () => undefined;
    const harness = await withSinks([required(named('a')), optional(extra)]);
    const mib = 1_048_576;
    for (const sizeBytes of [17 * mib, 1]) {
      await harness.accept([1], { fields: { ...KAFKA, sizeBytes } });
      await harness.advance();
    }
    expect(harness.runtime.destinations.all()[1]!.bestEffort).toMatchObject({ skipped: 1 });
  });

  it('does not count for the pressure or the stalls of the stage', async () => {
    const extra = named('extra');
    extra.answer = () => failed('outage');
    const harness = await withSinks([required(named('a')), optional(extra)]);
    const meter = harness.controller.meter('FinalSink');
    const failures = jest.spyOn(meter, 'failed');
    const stalled = jest.spyOn(harness.controller, 'stalled');
    await harness.accept(numbers(30));
    await harness.advance(60_000);
    expect(failures).not.toHaveBeenCalled();
    expect(stalled).not.toHaveBeenCalledWith('FinalSink', true);
  });
});
