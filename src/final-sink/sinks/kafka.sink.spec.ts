import { partitionOf } from '#libs/flow-control';
import { makeRecord } from '../../../test/support/ledger.js';
import { type HarnessOptions, StageHarness } from '../../../test/support/stage-harness.js';
import {
  ScriptedKafka,
  type ScriptedKafkaOptions,
} from '../../../test/support/scripted-kafka-sink.js';
import { brokerError } from '../../../test/support/scripted-producer.js';
import type { PipelineRecord } from '../../pipeline/record.js';
import type { KafkaSink } from './kafka.sink.js';

const NO_CONNECTION = new Error('connect ECONNREFUSED');

/** The stages with the Kafka sink at their end; the topic is ready unless said otherwise. */
async function withKafka(
  given: HarnessOptions & { kafka?: ScriptedKafkaOptions; isReady?: boolean } = {},
) {
  const { kafka: options = {}, isReady = true, ...harnessOptions } = given;
  const kafka = new ScriptedKafka(options);
  const harness = await new StageHarness({ ...harnessOptions, sink: kafka.createSink }).start();
  if (isReady) kafka.topicCheck.ready();
  await harness.advance();
  const accept = async (payloads: readonly number[], key = 'a') => {
    const records = await harness.accept(payloads, { keys: payloads.map(() => key) });
    await harness.advance();
    return records;
  };
  const { producer } = kafka;
  return { harness, kafka, producer, accept, sink: harness.sink as KafkaSink };
}

/** Keys of partitions 0 and 1 of 2. */
const [FIRST, SECOND] = [0, 1].map((partition) =>
  ['a', 'b', 'c', 'd', 'e', 'f', 'g'].find((key) => partitionOf(key, 2) === partition)!,
);

/** A key for each of so many partitions. */
function keysOf(partitions: number): string[] {
  const keys = new Map<number, string>();
  for (let i = 0; keys.size < partitions; i += 1)
    keys.set(partitionOf(`k${i}`, partitions), `k${i}`);
  return [...keys.values()];
}

describe('KafkaSink behind FinalSink', () => {
  it('ends a record when the broker has it, with topic, partition and offset', async () => {
    const { harness, producer, accept } = await withKafka();
    const [record] = await accept([1]);
    expect(harness.endOf(record!)).toBeUndefined();
    producer.out[0]!.answer(17n);
    await harness.advance();
    expect(harness.books.ended.get(record!.id)).toMatchObject({
      destination: 'kafka',
      externalId: 'out:0:17',
      attempts: 1,
    });
    expect(harness.leftovers()).toEqual({});
  });

  it('sends to one partition while another one does not answer', async () => {
    const { harness, producer, accept } = await withKafka({ kafka: { partitions: 2 } });
    const [slow] = await accept([1], FIRST);
    const [quick] = await accept([2], SECOND);
    expect(new Set(producer.out.map(({ partition }) => partition))).toEqual(new Set([0, 1]));
    producer.out[1]!.answer();
    await harness.advance();
    expect(harness.endOf(quick!)).toBe('acknowledged');
    expect(harness.endOf(slow!)).toBeUndefined();
  });

  it('sends nothing before the topic is as configured (KS2)', async () => {
    const { harness, kafka, producer, accept, sink } = await withKafka({ isReady: false });
    expect(kafka.topicCheck.isStarted).toBe(true);
    await accept([1, 2]);
    await harness.advance(60_000);
    expect(producer.connects).toBe(0);
    expect(sink.status()).toMatchObject({ state: 'connecting', producer: { queuedRecords: 2 } });
    kafka.topicCheck.ready();
    await harness.advance();
    expect(producer.out[0]?.ids).toHaveLength(2);
  });

  it('shows what the topic check and the breaker say', async () => {
    const { harness, kafka, producer, accept, sink } = await withKafka({ isReady: false });
    const shown = () => sink.status().state;
    kafka.topicCheck.state = 'waiting';
    expect(shown()).toBe('away');
    kafka.topicCheck.state = 'failed';
    kafka.topicCheck.detail = 'out: partitions is 2, expected 3';
    expect(sink.status()).toMatchObject({ state: 'failed', detail: kafka.topicCheck.detail });
    kafka.topicCheck.ready();
    expect(shown()).toBe('ready');
    await accept([1]);
    for (let i = 0; i < 20; i += 1) {
      producer.out[0]!.fail(NO_CONNECTION);
      await harness.advance(2000);
    }
    expect(shown()).toBe('away');
    await sink.stop();
    expect(shown()).toBe('stopped');
  });

  it('waits out an outage: no attempt is used, and the order stays', async () => {
    const { harness, producer, accept } = await withKafka({ finalSink: { maxRetries: 1 } });
    const records = await accept([1]);
    for (let i = 0; i < 5; i += 1) {
      producer.out[0]!.fail(NO_CONNECTION);
      await harness.advance();
      records.push(...(await accept([2 + i])));
      await harness.advance(2000);
      expect(producer.out.map(({ ids }) => ids)).toEqual([[records[0]!.id]]);
    }
    while (producer.out.length > 0) {
      producer.out[0]!.answer();
      await harness.advance();
    }
    expect(producer.written.get(0)).toEqual(records.map(({ id }) => id));
    expect(harness.settled).toEqual(records);
    expect(records[0]).toMatchObject({ attempts: 1 });
    expect(records[0]!.failures).toHaveLength(5);
    expect(harness.leftovers()).toEqual({});
  });

  it('charges an outage when told, to the attempts and to the budget (FINAL_SINK_OUTAGE_POLICY=dead-letter)', async () => {
    const { harness, producer, accept } = await withKafka({
      finalSink: { outagePolicy: 'dead-letter', maxRetries: 2 },
    });
    const [record] = await accept([1]);
    for (let i = 0; i < 2; i += 1) {
      producer.out[0]!.fail(NO_CONNECTION);
      await harness.advance(1000);
    }
    expect(harness.endOf(record!)).toBe('dead-lettered: attempts-used-up');
    const [status] = harness.runtime.destinations.all();
    expect(status!.guard).toMatchObject({ budget: { retries: 1 }, breaker: { results: 2 } });
    expect(harness.leftovers()).toEqual({});
  });

  it('gives records up when the retry budget is empty (G1)', async () => {
    const partitions = 40;
    const { harness, producer, accept } = await withKafka({ kafka: { partitions } });
    const keys = keysOf(partitions);
    const records = [];
    for (const key of keys) records.push(...(await accept([1], key)));
    for (const send of producer.out) send.fail(brokerError('INVALID_REQUIRED_ACKS'));
    await harness.advance();
    const ends = records.map((record) => harness.endOf(record));
    // 30 in ten seconds, and 20 % of 40.
    expect(ends.filter((end) => end === 'dead-lettered: retry-budget')).toHaveLength(2);
    expect(ends.filter((end) => end === undefined)).toHaveLength(38);
  });

  it('ends a record in the dead letters when its attempts are used up, and lets the next one of its key go', async () => {
    const { harness, producer, accept } = await withKafka({ finalSink: { maxRetries: 3 } });
    const [first] = await accept([1]);
    const [second] = await accept([2]);
    for (let i = 0; i < 3; i += 1) {
      producer.out[0]!.fail(brokerError('INVALID_REQUIRED_ACKS'));
      await harness.advance(2000);
    }
    expect(harness.endOf(first!)).toBe('dead-lettered: attempts-used-up');
    expect(first).toMatchObject({ attempts: 3 });
    expect(first!.failures).toHaveLength(3);
    producer.out[0]!.answer();
    await harness.advance();
    expect(harness.endOf(second!)).toBe('acknowledged');
    expect(harness.leftovers()).toEqual({});
  });

  it('ends only the record that the broker refuses', async () => {
    const { harness, producer, accept } = await withKafka();
    const records = await accept([1, 2, 3]);
    const bad = records[1]!.id;
    while (producer.out.length > 0) {
      const [send] = producer.out;
      if (send!.ids.includes(bad)) send!.fail(brokerError('MESSAGE_TOO_LARGE'));
      else send!.answer();
      await harness.advance();
    }
    expect(records.map((record) => harness.endOf(record))).toEqual([
      'acknowledged',
      'dead-lettered: rejected',
      'acknowledged',
    ]);
    expect(harness.leftovers()).toEqual({});
  });

  it('sends a batch again as long as one of its records may be (KS3)', async () => {
    const { harness, producer, accept } = await withKafka({
      kafka: { partitions: 2 },
      finalSink: { maxRetries: 1 },
    });
    const [out] = await accept([0], FIRST);
    // Another one succeeds after the first of these has begun, and before the second one begins.
    const [older] = await accept([1], FIRST);
    await accept([2], SECOND);
    producer.out.find(({ partition }) => partition !== producer.out[0]!.partition)!.answer();
    await harness.advance();
    const [newer] = await accept([3], FIRST);
    producer.out[0]!.fail(brokerError('MESSAGE_TOO_LARGE'));
    await harness.advance();
    expect(harness.endOf(out!)).toBe('dead-lettered: rejected');
    expect(producer.out[0]!.ids).toEqual([older!.id, newer!.id]);
    producer.out[0]!.fail(brokerError('REQUEST_TIMED_OUT'));
    await harness.advance(2000);
    expect(producer.out[0]!.ids).toEqual([older!.id, newer!.id]);
    producer.out[0]!.answer();
    await harness.advance();
    expect([older!, newer!].map((record) => harness.endOf(record))).toEqual([
      'acknowledged',
      'acknowledged',
    ]);
  });

  it('counts an acknowledgment timeout, sends nothing twice for it, and takes the late answer', async () => {
    const { harness, producer, accept } = await withKafka({
      finalSink: { acknowledgmentTimeoutMs: 10_000, maxRetries: 1 },
    });
    const [record] = await accept([1]);
    await harness.advance(15_000);
    expect(harness.finalSink.snapshot()).toMatchObject({ timedOut: 1, pending: 0 });
    expect(producer.sends).toHaveLength(1);
    producer.out[0]!.answer();
    await harness.advance();
    expect(harness.endOf(record!)).toBe('acknowledged');
    expect(harness.leftovers()).toEqual({});
  });

  it('holds no more records than may be pending, also when the timeouts have passed', async () => {
    const { harness, sink, accept } = await withKafka({
      kafka: { maxRecords: 3 },
      finalSink: { maxPendingAcknowledgments: 3, acknowledgmentTimeoutMs: 1000 },
    });
    for (let i = 0; i < 10; i += 1) await accept([i]);
    await harness.advance(5000);
    expect(harness.finalSink.snapshot().timedOut).toBe(3);
    expect(sink.status().producer.queuedRecords).toBe(3);
  });

  it('waits for room in bytes, in the order of the calls (KS1)', async () => {
    const { harness, producer, sink, accept } = await withKafka({ kafka: { bufferBytes: 250 } });
    const records = [];
    for (let i = 0; i < 8; i += 1) records.push(...(await accept([2 * i, 2 * i + 1])));
    expect(sink.status().producer.queuedBytes).toBeLessThanOrEqual(250);
    while (producer.out.length > 0) {
      producer.out[0]!.answer();
      await harness.advance();
      expect(sink.status().producer.queuedBytes).toBeLessThanOrEqual(250);
    }
    expect(producer.written.get(0)).toEqual(records.map(({ id }) => id));
    expect(harness.leftovers()).toEqual({});
  });

  it('sends at most once with FINAL_SINK_REQUIRE_ACKNOWLEDGMENT=false', async () => {
    const { harness, producer, accept } = await withKafka({
      finalSink: { requireAcknowledgment: false },
    });
    const [record] = await accept([1]);
    expect(harness.endOf(record!)).toBe('acknowledged');
    producer.out[0]!.fail(NO_CONNECTION);
    await harness.advance(60_000);
    expect(producer.sends).toHaveLength(1);
    expect(harness.leftovers()).toEqual({});
  });

  it('does not make a drain wait for a broker that is away', async () => {
    const { harness, producer, accept } = await withKafka();
    await accept([1]);
    let isDrained = false;
    const drained = harness.finalSink.drain(harness.clock.now() + 60_000).then(() => {
      isDrained = true;
    });
    await harness.advance(5000);
    expect(isDrained).toBe(false);
    producer.out[0]!.fail(NO_CONNECTION);
    await harness.advance(1500);
    await drained;
    expect(isDrained).toBe(true);
  });

  it('leaves what it holds to the journal when it stops, waiting for room or not', async () => {
    const { harness, accept } = await withKafka({ kafka: { bufferBytes: 150 } });
    for (let i = 0; i < 4; i += 1) await accept([i]);
    await harness.stop();
    await harness.stop();
    expect(harness.books.ended.size).toBe(0);
    expect(harness.settled.every(({ terminal }) => terminal === undefined)).toBe(true);
  });

  it('sends null for a record without a value: a tombstone', async () => {
    const { harness, producer, sink } = await withKafka();
    const send = jest.spyOn(producer, 'send');
    const record = Object.assign(makeRecord({ key: 'a' }), { body: null });
    const context = { signal: new AbortController().signal, again: () => undefined };
    const outcomes = sink.deliver([record as unknown as PipelineRecord], context);
    await harness.advance();
    producer.out[0]!.answer();
    expect(await outcomes).toMatchObject([{ kind: 'acknowledged' }]);
    expect(send.mock.calls[0]![1]).toMatchObject([{ key: Buffer.from('a'), value: null }]);
  });

  it('sends the exact bytes of a key that is no text', async () => {
    const { harness, producer, sink } = await withKafka();
    const send = jest.spyOn(producer, 'send');
    const record = makeRecord({ key: 'AAc=', keyBytes: Buffer.from([0, 7]) });
    const context = { signal: new AbortController().signal, again: () => undefined };
    const outcomes = sink.deliver([record as unknown as PipelineRecord], context);
    await harness.advance();
    producer.out[0]!.answer();
    expect(await outcomes).toMatchObject([{ kind: 'acknowledged' }]);
    expect(send.mock.calls[0]![1]).toMatchObject([{ key: Buffer.from([0, 7]) }]);
  });
});
