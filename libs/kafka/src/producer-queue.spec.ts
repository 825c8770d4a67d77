import { CircuitBreaker } from '#libs/flow-control';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { brokerError, ScriptedProducer } from '../../../test/support/scripted-producer.js';
import type { Outgoing, SendOutcome } from './kafka-sink.js';
import type { FailedSend } from './producer-lane.js';
import { ProducerQueue, type ProducerQueueOptions } from './producer-queue.js';

const RETRY_MS = 50;

function setup(given: Partial<ProducerQueueOptions> = {}, partitions = 1, isAway = false) {
  const clock = new FakeClock();
  const producer = new ScriptedProducer();
  const failures: FailedSend[] = [];
  const breaker = new CircuitBreaker({
    openMs: 1000,
    maxOpenMs: 30_000,
    failures: 20,
    ratio: 1,
    jitterRatio: 0,
    clock,
    random: () => 0,
  });
  const queue = new ProducerQueue(producer, {
    batchBytes: 1_000_000,
    maxBytesPerSend: 1_000_000,
    maxRecordsPerSend: 1000,
    lingerMs: 0,
    ackTimeoutMs: 10_000,
    maxRecords: 1000,
    bufferBytes: 32_000_000,
    idempotent: false,
    breaker,
    random: () => 0,
    clock,
    retryInMs: (failed) => {
      failures.push(failed);
      return RETRY_MS;
    },
    ...given,
  });
  if (isAway) producer.connectError = new Error('connection refused');
  producer.onConnect = () => queue.partitionsKnown(partitions);
  queue.start();
  return { clock, producer, queue, failures, breaker };
}

let nextId = 0;
const record = (given: Partial<Outgoing> = {}): Outgoing => {
  nextId += 1;
  const value = Buffer.from('value');
  return { recordId: `r${nextId}`, key: null, value, headers: undefined, attempt: 1, ...given };
};
const some = (count: number, given: Partial<Outgoing> = {}): Outgoing[] =>
  Array.from({ length: count }, () => record(given));
const idsOf = (records: readonly Outgoing[]): string[] => records.map((each) => each.recordId);

/** Runs what is due now. */
const settled = (clock: FakeClock): Promise<void> => clock.advanceAsync(0);

/** What a delivery came to; undefined while it is out. */
function watched(delivery: Promise<readonly SendOutcome[]> | undefined) {
  const result: { outcomes: readonly SendOutcome[] | undefined } = { outcomes: undefined };
  if (delivery === undefined) throw new Error('The queue did not take the records.');
  void delivery.then((outcomes) => (result.outcomes = outcomes));
  return result;
}

describe('ProducerQueue', () => {
  describe('batches', () => {
    it('sends 1 000 records in as few sends as batches hold them (P1)', async () => {
      const { clock, producer, queue } = setup({ maxRecordsPerSend: 100 });
      const delivery = watched(queue.deliver(some(1000)));
      while (delivery.outcomes === undefined) {
        producer.out.forEach((send) => send.answer());
        await settled(clock);
      }
      expect(producer.sends).toHaveLength(10);
    });

    it('never sends more than maxRecordsPerSend records at once (P3)', async () => {
      const { clock, producer, queue } = setup({ maxRecords: 3000 });
      const delivery = watched(queue.deliver(some(2500)));
      while (delivery.outcomes === undefined) {
        producer.out.forEach((send) => send.answer());
        await settled(clock);
      }
      expect(producer.sends.map((send) => send.ids.length)).toEqual([1000, 1000, 500]);
    });

    it('cuts a batch before it passes maxBytesPerSend, and lets a larger record travel alone (Q3)', async () => {
      const { clock, producer, queue } = setup({ batchBytes: 1000, maxBytesPerSend: 1000 });
      const large = record({ value: Buffer.alloc(5000) });
      const small = some(4, { value: Buffer.alloc(300) });
      void queue.deliver([small[0]!, small[1]!, small[2]!, large, small[3]!]);
      for (let turn = 0; turn < 5; turn += 1) {
        producer.out.forEach((send) => send.answer());
        await settled(clock);
      }
      expect(producer.sends.map((send) => send.ids.length)).toEqual([2, 1, 1, 1]);
    });

    it('sends what has gathered together when a send is due, also above batchBytes', async () => {
      const { clock, producer, queue } = setup({ batchBytes: 1000, maxBytesPerSend: 3000 });
      for (let i = 0; i < 20; i += 1) void queue.deliver(some(1, { value: Buffer.alloc(300) }));
      while (producer.out.length > 0) {
        producer.out.forEach((send) => send.answer());
        await settled(clock);
      }
      expect(producer.sends.map((send) => send.ids.length)).toEqual([1, 7, 7, 5]);
    });

    it('asks a broker for less after a batch that was too large as a whole, and for no less than batchBytes (Q4)', async () => {
      const { clock, producer, queue } = setup({ batchBytes: 1000, maxBytesPerSend: 4000 });
      void queue.deliver(some(40, { value: Buffer.alloc(300) }));
      while (producer.out.length > 0) {
        producer.out.forEach((send) =>
          send.ids.length > 3 ? send.fail(brokerError('MESSAGE_TOO_LARGE')) : send.answer(),
        );
        await settled(clock);
      }
      const sizes = producer.sends.map((send) => send.ids.length);
      expect(sizes.slice(0, 2)).toEqual([10, 5]);
      expect(sizes.slice(-4)).toEqual([2, 2, 2, 1]);
    });

    it('keeps the size of its sends when a single record was refused (Q4)', async () => {
      const { clock, producer, queue } = setup({ batchBytes: 1000, maxBytesPerSend: 4000 });
      const records = some(30, { value: Buffer.alloc(300) });
      const poison = records[4]!.recordId;
      void queue.deliver(records);
      while (producer.out.length > 0) {
        producer.out.forEach((send) =>
          send.ids.includes(poison) ? send.fail(brokerError('MESSAGE_TOO_LARGE')) : send.answer(),
        );
        await settled(clock);
      }
      expect(producer.sends.at(-1)?.ids).toHaveLength(10);
    });

    it('lets an incomplete batch linger from its first record on, and not longer', async () => {
      const { clock, producer, queue } = setup({ lingerMs: 5 });
      await settled(clock);
      void queue.deliver(some(1));
      await clock.advanceAsync(4);
      void queue.deliver(some(1));
      expect(producer.sends).toHaveLength(0);
      await clock.advanceAsync(1);
      expect(producer.sends.map((send) => send.ids.length)).toEqual([2]);
    });

    it('sends a batch that is full without lingering', async () => {
      const { clock, producer, queue } = setup({ lingerMs: 5, maxRecordsPerSend: 2 });
      await settled(clock);
      void queue.deliver(some(2));
      expect(producer.sends).toHaveLength(1);
    });

    it('gathers what comes while a send is out, and sends it when that has settled', async () => {
      const { clock, producer, queue } = setup();
      void queue.deliver(some(1));
      void queue.deliver(some(1));
      void queue.deliver(some(1));
      await settled(clock);
      expect(producer.sends).toHaveLength(1);
      producer.out[0]!.answer();
      await settled(clock);
      expect(producer.sends.map((send) => send.ids.length)).toEqual([1, 2]);
    });
  });

  describe('placement', () => {
    it('sends the records of a key to the partition Kafka gives it, in order', async () => {
      const { clock, producer, queue } = setup({}, 10);
      const records = some(3, { key: Buffer.from('foobar') });
      void queue.deliver(records);
      await settled(clock);
      expect(producer.sends).toEqual([
        expect.objectContaining({ partition: 6, ids: idsOf(records) }),
      ]);
    });

    it('keeps keyless records together until their batch is full, then takes the less loaded of two', async () => {
      const { clock, producer, queue } = setup({ maxRecordsPerSend: 10 }, 2);
      await settled(clock);
      void queue.deliver(some(20));
      expect(producer.sends.map(({ partition, ids }) => [partition, ids.length])).toEqual([
        [0, 10],
        [1, 10],
      ]);
    });

    it('holds records until the partitions are known, then sends them in order', async () => {
      const { clock, producer, queue } = setup({ random: () => 0.5 }, 1, true);
      const records = some(3);
      void queue.deliver(records.slice(0, 2));
      void queue.deliver(records.slice(2));
      await clock.advanceAsync(499);
      expect(queue.snapshot()).toMatchObject({ unplaced: 3, partitions: 0 });
      expect(producer.connects).toBe(1);
      producer.connectError = undefined;
      await clock.advanceAsync(1);
      expect(producer.sends[0]?.ids).toEqual(idsOf(records));
    });

    it('tries to connect with a back-off from 1 s to 30 s, until it stops', async () => {
      const { clock, producer, queue } = setup({ random: () => 1 }, 1, true);
      const connects: number[] = [];
      for (let second = 1; second <= 100; second += 1) {
        const before = producer.connects;
        await clock.advanceAsync(1000);
        if (producer.connects > before) connects.push(second);
      }
      expect(connects).toEqual([1, 3, 7, 15, 31, 61, 91]);
      await queue.stop();
      expect(clock.pendingTimers).toBe(0);
    });

    it('places the records of a partition that the topic has lost anew', async () => {
      const { clock, producer, queue } = setup({}, 10);
      const records = some(2, { key: Buffer.from('foobar') });
      void queue.deliver(records);
      await settled(clock);
      expect(producer.sends[0]!.partition).toBe(6);
      queue.partitionsKnown(4);
      producer.out[0]!.fail(new Error('the answer does not name the partition'));
      await clock.advanceAsync(RETRY_MS);
      expect(producer.out[0]).toMatchObject({ partition: 2, ids: idsOf(records) });
    });
  });

  describe('bounds', () => {
    it('queues no more than its bound while the destination stalls, and says so without an exception (P2)', () => {
      const { queue } = setup();
      let taken = 0;
      for (let offer = 0; offer < 100_000; offer += 1) {
        if (queue.deliver(some(1)) !== undefined) taken += 1;
        if (queue.snapshot().queuedRecords > 1000) throw new Error('The bound was passed.');
      }
      expect(taken).toBe(1000);
      expect(queue.room).toBe(0);
    });

    it('queues no more bytes than bufferBytes, and tells how many records would fit', () => {
      const { queue } = setup({ bufferBytes: 10_000 });
      const records = some(20, { value: Buffer.alloc(1000) });
      const fitting = queue.accepts(records);
      expect(queue.deliver(records)).toBeUndefined();
      expect(queue.deliver(records.slice(0, fitting))).toBeDefined();
      expect(queue.snapshot().queuedBytes).toBeLessThanOrEqual(10_000);
      expect(queue.accepts(some(1, { value: Buffer.alloc(1000) }))).toBe(0);
    });

    it('takes a record that is larger than the buffer when nothing else is inside', () => {
      const { queue } = setup({ bufferBytes: 1000 });
      const large = some(1, { value: Buffer.alloc(5000) });
      expect(queue.accepts([...large, ...some(1)])).toBe(1);
      void queue.deliver(large);
      expect(queue.room).toBe(0);
    });

    it('has its room back when records have their outcome', async () => {
      const { clock, producer, queue } = setup();
      void queue.deliver(some(1000));
      await settled(clock);
      producer.out[0]!.answer();
      await settled(clock);
      expect(queue.room).toBe(1000);
      expect(queue.snapshot()).toMatchObject({ queuedRecords: 0, queuedBytes: 0 });
    });

    it('takes an empty slice at any time', async () => {
      const { queue } = setup();
      await expect(queue.deliver([])).resolves.toEqual([]);
    });
  });

  describe('failures', () => {
    it('tells each record its partition and offset', async () => {
      const { clock, producer, queue } = setup();
      const delivery = watched(queue.deliver(some(3)));
      await settled(clock);
      producer.out[0]!.answer(40n);
      await settled(clock);
      expect(delivery.outcomes).toEqual(
        [40n, 41n, 42n].map((offset) => ({ kind: 'acknowledged', partition: 0, offset })),
      );
    });

    it('sends the same batch again, before everything else of its lane, after the back-off', async () => {
      const { clock, producer, queue, failures } = setup();
      const first = some(2);
      void queue.deliver(first);
      await settled(clock);
      void queue.deliver(some(5));
      producer.out[0]!.fail(brokerError('NOT_LEADER_FOR_PARTITION'));
      await clock.advanceAsync(RETRY_MS - 1);
      expect(producer.out).toHaveLength(0);
      await clock.advanceAsync(1);
      expect(producer.out).toEqual([
        expect.objectContaining({ ids: idsOf(first), failedSends: 1 }),
      ]);
      expect(failures).toEqual([expect.objectContaining({ records: first, failedSends: 1 })]);
      expect(failures[0]!.failure.kind).toBe('outage');
    });

    it('fails the records of a batch when it is not to be sent again, and goes on', async () => {
      const { clock, producer, queue } = setup({ retryInMs: () => undefined });
      const delivery = watched(queue.deliver(some(2)));
      await settled(clock);
      const next = some(1);
      void queue.deliver(next);
      producer.out[0]!.fail(brokerError('UNKNOWN'));
      await settled(clock);
      expect(delivery.outcomes?.map((outcome) => outcome.kind)).toEqual(['failed', 'failed']);
      expect(producer.out[0]!.ids).toEqual(idsOf(next));
    });

    it('finds the one record that spoils a batch of 1 000 in at most 21 sends, and fails only it', async () => {
      const { clock, producer, queue } = setup();
      const records = some(1000);
      const spoiled = records[677]!.recordId;
      const delivery = watched(queue.deliver(records));
      await settled(clock);
      while (delivery.outcomes === undefined) {
        const send = producer.out[0]!;
        if (send.ids.includes(spoiled)) send.fail(brokerError('MESSAGE_TOO_LARGE'));
        else send.answer();
        await settled(clock);
      }
      const failed = delivery.outcomes.flatMap((outcome, i) =>
        outcome.kind === 'failed' ? i : [],
      );
      expect(failed).toEqual([677]);
      expect(delivery.outcomes[677]).toMatchObject({ failure: { kind: 'final' } });
      expect(producer.sends.length).toBeLessThanOrEqual(21);
      expect(producer.written.get(0)).toEqual(idsOf(records).filter((id) => id !== spoiled));
    });

    it('keeps a partition that fails from holding back the others', async () => {
      const { clock, producer, queue } = setup({}, 10);
      void queue.deliver(some(1, { key: Buffer.from('foobar') }));
      await settled(clock);
      producer.out[0]!.fail(brokerError('LEADER_NOT_AVAILABLE'));
      await settled(clock);
      const other = watched(queue.deliver(some(1, { key: Buffer.from('abc') })));
      producer.out[0]!.answer();
      await settled(clock);
      expect(other.outcomes?.[0]).toMatchObject({ kind: 'acknowledged', partition: 7 });
      expect(queue.snapshot().lanes.held).toBe(1);
    });

    it('sends nothing while the breaker is open, then one probe at a time', async () => {
      const { clock, producer, queue, breaker } = setup({}, 10);
      const keys = ['foobar', 'abc', '21'].map((key) => Buffer.from(key));
      const out = keys.map((key) => watched(queue.deliver(some(1, { key }))));
      await settled(clock);
      while (breaker.state === 'closed') {
        for (const send of producer.out) send.fail(new Error('connection refused'));
        await settled(clock);
        if (breaker.state === 'closed') await clock.advanceAsync(RETRY_MS);
      }
      const before = producer.sends.length;
      await clock.advanceAsync(999);
      expect(producer.sends).toHaveLength(before);
      await clock.advanceAsync(1);
      expect(producer.out).toHaveLength(1);
      while (out.some((each) => each.outcomes === undefined)) {
        expect(producer.out).toHaveLength(1);
        producer.out[0]!.answer();
        await settled(clock);
      }
    });

    it('has one send out over all partitions when it is idempotent (P6)', async () => {
      const { clock, producer, queue } = setup({ idempotent: true }, 10);
      const keys = ['foobar', 'abc', '21', 'customer-42'].map((key) => Buffer.from(key));
      const all = watched(queue.deliver(keys.flatMap((key) => some(2, { key }))));
      await settled(clock);
      const order: number[] = [];
      while (all.outcomes === undefined) {
        expect(producer.out).toHaveLength(1);
        order.push(producer.out[0]!.partition);
        producer.out[0]!.answer();
        await settled(clock);
      }
      expect(order).toEqual([6, 7, 0, 3]);
    });
  });

  describe('late answers', () => {
    it('keeps the lane closed after the acknowledgment timeout until the send settles', async () => {
      const { clock, producer, queue, failures } = setup();
      const records = some(1);
      void queue.deliver(records);
      await clock.advanceAsync(10_000);
      expect(failures[0]!.failure).toMatchObject({ kind: 'retryable', isTimeout: true });
      await clock.advanceAsync(60_000);
      expect(producer.sends).toHaveLength(1);
      expect(queue.snapshot().lanes.late).toBe(1);
      producer.out[0]!.fail(new Error('connection closed'));
      await settled(clock);
      expect(producer.out[0]!.ids).toEqual(idsOf(records));
      expect(failures).toHaveLength(1);
    });

    it('ends records that still wait with the late answer, and sends them no more', async () => {
      const { clock, producer, queue } = setup();
      const delivery = watched(queue.deliver(some(1)));
      await clock.advanceAsync(10_000);
      expect(delivery.outcomes).toBeUndefined();
      producer.out[0]!.answer(7n);
      await clock.advanceAsync(60_000);
      expect(delivery.outcomes).toEqual([{ kind: 'acknowledged', partition: 0, offset: 7n }]);
      expect(producer.sends).toHaveLength(1);
      expect(queue.snapshot()).toMatchObject({ lateAnswers: 1, acknowledged: 1, failed: 0 });
    });

    it('only counts the late answer for records that were given up', async () => {
      const { clock, producer, queue } = setup({ retryInMs: () => undefined });
      const delivery = watched(queue.deliver(some(1)));
      await clock.advanceAsync(10_000);
      expect(delivery.outcomes?.[0]?.kind).toBe('failed');
      const next = some(1);
      void queue.deliver(next);
      await settled(clock);
      expect(producer.sends).toHaveLength(1);
      producer.out[0]!.answer();
      await settled(clock);
      expect(producer.out[0]!.ids).toEqual(idsOf(next));
      expect(queue.snapshot()).toMatchObject({ lateAnswers: 1, acknowledged: 0, failed: 1 });
    });
  });

  describe('drain and stop', () => {
    it('drains without lingering and resolves when it is empty', async () => {
      const { clock, producer, queue } = setup({ lingerMs: 1000 });
      await settled(clock);
      void queue.deliver(some(1));
      let isDrained = false;
      void queue.drain(clock.now() + 5000).then(() => (isDrained = true));
      expect(producer.out).toHaveLength(1);
      await settled(clock);
      expect(isDrained).toBe(false);
      producer.out[0]!.answer();
      await settled(clock);
      expect(isDrained).toBe(true);
    });

    it('does not wait for what a failure holds', async () => {
      const { clock, producer, queue } = setup();
      void queue.deliver(some(1));
      await settled(clock);
      const drained = queue.drain(clock.now() + 5000);
      producer.out[0]!.fail(new Error('connection refused'));
      await expect(drained).resolves.toBeUndefined();
      expect(queue.snapshot().queuedRecords).toBe(1);
    });

    it('waits for an answer until its deadline at most', async () => {
      const { clock, queue } = setup();
      void queue.deliver(some(1));
      await settled(clock);
      let isDrained = false;
      void queue.drain(clock.now() + 500).then(() => (isDrained = true));
      await clock.advanceAsync(499);
      expect(isDrained).toBe(false);
      await clock.advanceAsync(1);
      expect(isDrained).toBe(true);
    });

    it('fails what is inside as an outage when it stops, takes nothing more and leaves no timer', async () => {
      const { clock, producer, queue } = setup({ lingerMs: 10 }, 10);
      const out = watched(queue.deliver(some(1)));
      await clock.advanceAsync(10);
      const lingering = watched(queue.deliver(some(1, { key: Buffer.from('abc') })));
      await queue.stop();
      const stopped = { kind: 'failed', failure: { kind: 'outage' } };
      expect(out.outcomes).toMatchObject([stopped]);
      expect(lingering.outcomes).toMatchObject([stopped]);
      expect(queue.deliver(some(1))).toBeUndefined();
      expect(queue.room).toBe(0);
      producer.out[0]!.answer();
      await settled(clock);
      expect(queue.snapshot()).toMatchObject({ acknowledged: 0, failed: 2, queuedRecords: 0 });
      expect(producer.isClosed).toBe(true);
      expect(clock.pendingTimers).toBe(0);
    });
  });
});
