import { CircuitBreaker } from '#libs/flow-control';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { brokerError, ScriptedProducer } from '../../../test/support/scripted-producer.js';
import type { Outgoing } from './kafka-sink.js';
import { ProducerQueue } from './producer-queue.js';

/** Sends until each of the records has its outcome, when the broker refuses any batch with this one in it. */
async function sendsWithSpoiled(count: number, spoiled: number): Promise<number> {
  const clock = new FakeClock();
  const random = (): number => 0.5;
  const producer = new ScriptedProducer();
  const queue = new ProducerQueue(producer, {
    batchBytes: 32_000_000,
    maxBytesPerSend: 32_000_000,
    maxRecordsPerSend: 1000,
    lingerMs: 0,
    ackTimeoutMs: 10_000,
    maxRecords: 1000,
    bufferBytes: 32_000_000,
    idempotent: false,
    breaker: new CircuitBreaker({
      openMs: 1000,
      maxOpenMs: 1000,
      failures: 5,
      ratio: 0.5,
      clock,
      random,
    }),
    retryInMs: () => undefined,
    random,
    clock,
  });
  producer.onConnect = () => queue.partitionsKnown(1);
  queue.start();
  const records = Array.from({ length: count }, (_, i): Outgoing => {
    return { recordId: `r${i}`, key: null, value: null, headers: undefined, attempt: 1 };
  });
  const outcomes = queue.deliver(records)!;
  for (; producer.out.length > 0; await clock.advanceAsync(0)) {
    for (const send of producer.out) {
      if (send.ids.includes(`r${spoiled}`)) send.fail(brokerError('INVALID_RECORD'));
      else send.answer();
    }
  }
  const failed = (await outcomes).flatMap(({ kind }, index) => (kind === 'failed' ? index : []));
  expect(failed).toEqual([spoiled]);
  return producer.sends.length;
}

describe('a batch that one record spoils', () => {
  it.each([
    [500, 19],
    [1000, 21],
  ])('of %i records costs at most %i sends, wherever it is', async (count, most) => {
    const sends: number[] = [];
    for (let spoiled = 0; spoiled < count; spoiled += 83) {
      sends.push(await sendsWithSpoiled(count, spoiled));
    }
    sends.push(await sendsWithSpoiled(count, count - 1));
    expect(Math.max(...sends)).toBe(most);
  });
});
