import type { PipelineRecord } from '../pipeline/record.js';
import { failed, InMemorySink } from '../../test/support/in-memory-sink.js';
import { Gate, type HarnessOptions, StageHarness } from '../../test/support/stage-harness.js';
import type { DeliveryOutcome } from './sinks/sink.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const ACKNOWLEDGED: DeliveryOutcome = { kind: 'acknowledged' };

async function withSink(
  sink: InMemorySink,
  options: HarnessOptions = {},
): Promise<{ harness: StageHarness; sink: InMemorySink }> {
  const harness = await new StageHarness({ ...options, sink }).start();
  return { harness, sink };
}

const ends = (harness: StageHarness, records: readonly PipelineRecord[]): (string | undefined)[] =>
  records.map((record) => harness.endOf(record));
const payloads = (harness: StageHarness, ids: readonly string[]): unknown[] =>
  ids.map((id) => harness.books.ended.get(id)?.record.payload);

describe('FinalSinkStage', () => {
  it('enters the acknowledgment, then tells the origin, then gives the credits back (FS2)', async () => {
    const { harness } = await withSink(new InMemorySink());
    const gate = new Gate();
    const finish = harness.acknowledgments.finish.bind(harness.acknowledgments);
    jest.spyOn(harness.acknowledgments, 'finish').mockImplementation(async (endings) => {
      await gate.promise;
      return finish(endings);
    });
    const [record] = await harness.accept([1]);
    await harness.advance();
    expect(harness.settled).toEqual([]);
    expect(harness.outstanding('FinalSink')).toBe(1);
    expect(harness.outstanding('pipeline')).toBe(1);
    gate.open();
    await harness.advance();
    expect(harness.settled).toEqual([record]);
    expect(record?.terminal).toEqual({ status: 'acknowledged' });
    expect(harness.leftovers()).toEqual({});
  });

  it('keeps the destination’s own id of a record', async () => {
    const sink = new InMemorySink();
    sink.answer = () => ({ kind: 'acknowledged', externalId: 'row 7' });
    const { harness } = await withSink(sink);
    const [record] = await harness.accept([1]);
    await harness.advance();
    expect(harness.books.ended.get(record!.id)).toMatchObject({
      destination: 'memory',
      externalId: 'row 7',
      attempts: 1,
    });
  });

  it('hands no record over FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS before one is answered', async () => {
    const gates: Gate<DeliveryOutcome>[] = [];
    const sink = new InMemorySink({ isOrdered: false, maxBatchRecords: 1 });
    sink.answer = () => {
      const gate = new Gate<DeliveryOutcome>();
      gates.push(gate);
      return gate.promise;
    };
    const { harness } = await withSink(sink);
    await harness.accept(numbers(1001));
    await harness.advance(5000);
    expect(gates).toHaveLength(1000);
    expect(harness.finalSink.snapshot()).toMatchObject({ pending: 1000, limit: 1000 });
    gates[500]?.open(ACKNOWLEDGED);
    await harness.advance();
    expect(gates).toHaveLength(1001);
  });

  it('sends nothing while its sink is paused, and everything in order afterwards (DV7)', async () => {
    const { harness } = await withSink(new InMemorySink());
    const { pauses } = harness.runtime;
    pauses.set(['sink:memory']);
    const records = await harness.accept(numbers(20));
    await harness.advance(60_000);
    expect(harness.settled).toEqual([]);
    expect(harness.outstanding('FinalSink')).toBe(20);
    pauses.set([]);
    await harness.advance(10_000);
    expect(harness.settled).toEqual(records);
    expect(harness.leftovers()).toEqual({});
  });

  it('takes fewer pending acknowledgments while it runs: what is beyond stays until its answer', async () => {
    const gates: Gate<DeliveryOutcome>[] = [];
    const sink = new InMemorySink({ isOrdered: false, maxBatchRecords: 1 });
    sink.answer = () => {
      const gate = new Gate<DeliveryOutcome>();
      gates.push(gate);
      return gate.promise;
    };
    const { harness } = await withSink(sink, { finalSink: { maxPendingAcknowledgments: 4 } });
    await harness.accept(numbers(8));
    await harness.advance();
    expect(gates).toHaveLength(4);
    harness.runtime.limits.set('FinalSink', {
      bufferSize: 2500,
      creditReplenishRate: 250,
      trigger: 0.85,
      latencyTargetMs: 1000,
      maxPendingAcknowledgments: 2,
    });
    for (const gate of gates.slice(0, 2)) gate.open(ACKNOWLEDGED);
    await harness.advance();
    expect(gates).toHaveLength(4);
    gates[2]?.open(ACKNOWLEDGED);
    await harness.advance();
    expect(gates).toHaveLength(5);
    expect(harness.finalSink.snapshot()).toMatchObject({ pending: 2, limit: 2 });
  });

  it('holds a place until the answer, also of records of one batch', async () => {
    const sink = new InMemorySink({ isOrdered: false, maxBatchRecords: 10 });
    sink.answer = () => undefined;
    const { harness } = await withSink(sink, { finalSink: { maxPendingAcknowledgments: 4 } });
    await harness.accept(numbers(20));
    await harness.advance(5000);
    expect(sink.batches).toEqual([4]);
  });

  it('matches an answer that comes before the send returns', async () => {
    const { harness } = await withSink(new InMemorySink());
    const records = await harness.accept(numbers(3));
    await harness.advance();
    expect(new Set(ends(harness, records))).toEqual(new Set(['acknowledged']));
    expect(harness.finalSink.snapshot()).toMatchObject({ acknowledged: 3, late: 0, duplicates: 0 });
  });

  it('sends a rejected record again, then makes it one dead letter (FINAL_SINK_MAX_RETRIES)', async () => {
    for (const maxRetries of [1, 3]) {
      const sink = new InMemorySink();
      sink.answer = () => failed('retryable');
      const { harness } = await withSink(sink, { finalSink: { maxRetries } });
      const records = await harness.accept([1]);
      await harness.advance(60_000);
      expect(sink.batches).toHaveLength(maxRetries);
      expect(ends(harness, records)).toEqual(['dead-lettered: attempts-used-up']);
      expect(harness.settled).toHaveLength(1);
      expect(harness.leftovers()).toEqual({});
    }
  });

  it('sends a record again that was not acknowledged in time (FINAL_SINK_ACKNOWLEDGMENT_TIMEOUT_MS)', async () => {
    let answers = 0;
    const sink = new InMemorySink();
    sink.answer = () => {
      answers += 1;
      return answers === 1 ? undefined : ACKNOWLEDGED;
    };
    const { harness } = await withSink(sink, { finalSink: { acknowledgmentTimeoutMs: 300 } });
    const records = await harness.accept([1]);
    await harness.advance(299);
    expect(harness.finalSink.snapshot()).toMatchObject({ pending: 1, timedOut: 0 });
    await harness.advance(1);
    expect(harness.finalSink.snapshot()).toMatchObject({ pending: 0, timedOut: 1 });
    await harness.advance(2000);
    expect(ends(harness, records)).toEqual(['acknowledged']);
    expect(harness.finalSink.snapshot()).toMatchObject({ late: 1, acknowledged: 1 });
    expect(harness.settled).toHaveLength(1);
    expect(harness.leftovers()).toEqual({});
  });

  it('takes a late acknowledgment for nothing, and harmless', async () => {
    const first = new Gate<DeliveryOutcome>();
    let answers = 0;
    const sink = new InMemorySink({ isOrdered: false });
    sink.answer = () => {
      answers += 1;
      return answers === 1 ? first.promise : ACKNOWLEDGED;
    };
    const { harness } = await withSink(sink, { finalSink: { acknowledgmentTimeoutMs: 100 } });
    const records = await harness.accept([1]);
    await harness.advance(5000);
    first.open(ACKNOWLEDGED);
    await harness.advance();
    expect(ends(harness, records)).toEqual(['acknowledged']);
    expect(harness.finalSink.snapshot()).toMatchObject({ late: 1 });
    expect(harness.leftovers()).toEqual({});
  });

  it('dead-letters a record that the destination refuses for what it is, at once', async () => {
    const sink = new InMemorySink();
    sink.answer = ({ payload }) => (payload === 1 ? failed('final') : ACKNOWLEDGED);
    const { harness } = await withSink(sink);
    const records = await harness.accept(numbers(3));
    await harness.advance();
    expect(ends(harness, records)).toEqual([
      'acknowledged',
      'dead-lettered: rejected',
      'acknowledged',
    ]);
  });

  it('holds records through an outage at no cost, in their order, and sends an ordered sink nothing meanwhile', async () => {
    let isAway = true;
    const sink = new InMemorySink();
    sink.answer = () => (isAway ? failed('outage') : ACKNOWLEDGED);
    const { harness } = await withSink(sink, { finalSink: { maxRetries: 1 } });
    const records = await harness.accept(numbers(50));
    await harness.accept(numbers(50));
    await harness.advance(60_000);
    expect(sink.mostCallsAtOnce).toBe(1);
    expect(sink.batches.length).toBeLessThan(100);
    expect(records[0]?.attempts).toBe(0);
    isAway = false;
    // The breaker's longest time between two probes, here without jitter.
    await harness.advance(30_000);
    expect(payloads(harness, sink.arrivals)).toEqual([...numbers(50), ...numbers(50)]);
    expect(harness.leftovers()).toEqual({});
  });

  it('gives an ordered sink one batch after the other', async () => {
    const sink = new InMemorySink({ maxBatchRecords: 2 });
    sink.answer = async () => ACKNOWLEDGED;
    const { harness } = await withSink(sink);
    await harness.accept(numbers(7));
    await harness.advance();
    expect(sink.mostCallsAtOnce).toBe(1);
    expect(sink.batches).toEqual([2, 2, 2, 1]);
  });

  it('holds back the later records of a key whose earlier one is sent again, and no other key', async () => {
    let isFirst = true;
    const sink = new InMemorySink();
    sink.answer = ({ payload }) => {
      if (payload !== 0 || !isFirst) return ACKNOWLEDGED;
      isFirst = false;
      return failed('retryable');
    };
    const { harness } = await withSink(sink);
    await harness.accept(numbers(4), { keys: ['a', 'a', 'b', 'a'] });
    await harness.accept([4], { keys: ['a'] });
    await harness.advance();
    expect(payloads(harness, sink.arrivals)).toEqual([2]);
    await harness.advance(5000);
    expect(payloads(harness, sink.arrivals)).toEqual([2, 0, 1, 3, 4]);
  });

  it('charges no attempt to a record that failed behind another one of its key', async () => {
    let failures = 0;
    const sink = new InMemorySink();
    sink.answer = ({ payload }) => {
      failures += payload === 0 ? 1 : 0;
      return payload === 0 && failures < 3 ? failed('retryable') : ACKNOWLEDGED;
    };
    const { harness } = await withSink(sink);
    const records = await harness.accept(numbers(2), { keys: ['a', 'a'] });
    await harness.advance(10_000);
    expect(records.map(({ attempts }) => attempts)).toEqual([3, 1]);
  });

  it('lets the next of a key pass when the dead letter of the one before is in the books', async () => {
    const sink = new InMemorySink();
    sink.answer = ({ payload }) => (payload === 0 ? failed('retryable') : ACKNOWLEDGED);
    const { harness } = await withSink(sink);
    const records = await harness.accept(numbers(2), { keys: ['a', 'a'] });
    await harness.advance(10_000);
    expect(ends(harness, records)).toEqual(['dead-lettered: attempts-used-up', 'acknowledged']);
    expect([...harness.books.ended.keys()]).toEqual(records.map(({ id }) => id));
  });

  it('gives an unordered sink one record of a key at a time, other keys in parallel', async () => {
    const gates = new Map<unknown, Gate<DeliveryOutcome>>();
    const sink = new InMemorySink({ isOrdered: false, maxBatchRecords: 1 });
    sink.answer = ({ payload }) => {
      const gate = new Gate<DeliveryOutcome>();
      gates.set(payload, gate);
      return gate.promise;
    };
    const { harness } = await withSink(sink);
    await harness.accept(numbers(5), { keys: ['a', 'a', 'b', undefined, 'a'] });
    await harness.advance();
    expect([...gates.keys()]).toEqual([0, 2, 3]);
    gates.get(0)?.open(ACKNOWLEDGED);
    await harness.advance();
    expect([...gates.keys()]).toEqual([0, 2, 3, 1]);
    gates.get(1)?.open(failed('final'));
    await harness.advance();
    expect([...gates.keys()]).toEqual([0, 2, 3, 1, 4]);
  });

  it('acknowledges at the hand-over, at most once, when told (FINAL_SINK_REQUIRE_ACKNOWLEDGMENT)', async () => {
    const gate = new Gate<DeliveryOutcome>();
    const sink = new InMemorySink();
    sink.answer = () => gate.promise;
    const { harness } = await withSink(sink, { finalSink: { requireAcknowledgment: false } });
    const records = await harness.accept([1]);
    await harness.advance();
    expect(ends(harness, records)).toEqual(['acknowledged']);
    expect(harness.leftovers()).toEqual({});
    gate.open(failed('final'));
    await harness.advance(5000);
    expect(ends(harness, records)).toEqual(['acknowledged']);
    expect(sink.batches).toEqual([1]);
    expect(harness.leftovers()).toEqual({});
  });

  it('sends nothing while dead letters are full, and goes on when there is room', async () => {
    const sink = new InMemorySink({ maxBatchRecords: 1 });
    sink.answer = ({ payload }) => (payload === 0 ? failed('final') : ACKNOWLEDGED);
    const { harness } = await withSink(sink, { maxDeadLetters: 0 });
    const records = await harness.accept(numbers(3));
    await harness.advance(60_000);
    expect(ends(harness, records)).toEqual([undefined, undefined, undefined]);
    harness.maxDeadLetters = 1;
    await harness.advance(1000);
    expect(ends(harness, records)).toEqual([
      'dead-lettered: rejected',
      'acknowledged',
      'acknowledged',
    ]);
    expect(harness.leftovers()).toEqual({});
  });

  it('takes a sink that breaks its promise never to reject for a failed delivery', async () => {
    const sink = new InMemorySink();
    const { harness } = await withSink(sink);
    jest
      .spyOn(sink, 'deliver')
      .mockRejectedValueOnce(new Error('defect'))
      .mockResolvedValueOnce([]);
    const records = await harness.accept([1]);
    await harness.advance(10_000);
    expect(ends(harness, records)).toEqual(['acknowledged']);
    expect(records[0]?.failures).toHaveLength(2);
  });

  it('leaves a record to the journal whose end the ledger can’t take any more', async () => {
    const { harness } = await withSink(new InMemorySink());
    const finish = jest.spyOn(harness.acknowledgments, 'finish');
    finish.mockRejectedValueOnce(new Error('stopped'));
    const [a] = await harness.accept([1]);
    await harness.advance();
    finish.mockImplementationOnce(async (endings) =>
      endings.map((ending) => ({ ending, error: new Error('refused'), sqlState: '22000' })),
    );
    const [b] = await harness.accept([2]);
    await harness.advance();
    expect(harness.books.journal.has(a!.id) && harness.books.journal.has(b!.id)).toBe(true);
    expect(harness.settled).toEqual([]);
    expect(harness.leftovers()).toEqual({});
  });

  it('starts the sink first, and ends it with all timers at the stop', async () => {
    const sink = new InMemorySink();
    sink.answer = ({ payload }) => (payload === 0 ? failed('outage') : undefined);
    const { harness } = await withSink(sink);
    expect(sink.state).toBe('started');
    await harness.accept([0]);
    await harness.advance();
    await harness.stop();
    await harness.stop();
    expect(sink.state).toBe('stopped');
    expect(harness.clock.pendingTimers).toBe(0);
    expect(harness.books.journal.size).toBe(1);
  });

  it('drains while the sink answers', async () => {
    const gate = new Gate<DeliveryOutcome>();
    const sink = new InMemorySink();
    sink.answer = () => gate.promise;
    const { harness } = await withSink(sink);
    await harness.accept([1]);
    let isDrained = false;
    void harness.finalSink.drain(harness.clock.now() + 20_000).then(() => (isDrained = true));
    await harness.advance(5000);
    expect(isDrained).toBe(false);
    gate.open(ACKNOWLEDGED);
    await harness.advance(100);
    expect(isDrained).toBe(true);
  });
});
