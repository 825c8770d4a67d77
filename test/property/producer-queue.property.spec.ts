import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CircuitBreaker } from '#libs/flow-control';
import type { Outgoing, SendOutcome } from '../../libs/kafka/src/kafka-sink.js';
import { ProducerQueue } from '../../libs/kafka/src/producer-queue.js';
import { FakeClock } from '../support/fake-clock.js';
import { brokerError, ScriptedProducer } from '../support/scripted-producer.js';

const PARTITIONS = 3;
const ACK_TIMEOUT_MS = 1000;
const MAX_RECORDS = 40;
const BUFFER_BYTES = 8000;
const MAX_RECORDS_PER_SEND = 8;
const KEYS = ['foobar', 'abc', '21', 'customer-42'].map((key) => Buffer.from(key));

type Step =
  | { readonly do: 'deliver'; readonly count: number; readonly key: number; readonly bytes: number }
  | { readonly do: 'answer'; readonly which: number; readonly how: Answer }
  | { readonly do: 'wait'; readonly ms: number };
type Answer = 'ok' | 'outage' | 'retryable' | 'spoiled';

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('deliver' as const),
    count: fc.integer({ min: 1, max: 12 }),
    key: fc.integer({ min: -1, max: KEYS.length - 1 }),
    bytes: fc.integer({ min: 0, max: 400 }),
  }),
  fc.record({
    do: fc.constant('answer' as const),
    which: fc.nat(),
    how: fc.constantFrom<Answer>('ok', 'ok', 'outage', 'retryable', 'spoiled'),
  }),
  fc.record({
    do: fc.constant('wait' as const),
    ms: fc.constantFrom(0, 1, 5, 20, 100, ACK_TIMEOUT_MS),
  }),
);

/** The queue, and beside it what has to be true of it. */
class Model {
  readonly clock = new FakeClock();
  readonly producer = new ScriptedProducer();
  readonly queue: ProducerQueue;
  /** Outcomes by record; a second one is a defect. */
  readonly outcomes = new Map<string, SendOutcome>();
  /** Taken records of each key, in order. */
  readonly taken = new Map<string, string[]>();
  private readonly spoiled = new Set<string>();
  private count = 0;
  private deliveredCount = 0;

  constructor(
    private readonly settings: { idempotent: boolean; lingerMs: number; maxAttempts: number },
  ) {
    this.queue = new ProducerQueue(this.producer, {
      batchBytes: 2000,
      maxBytesPerSend: 3000,
      maxRecordsPerSend: MAX_RECORDS_PER_SEND,
      ackTimeoutMs: ACK_TIMEOUT_MS,
      maxRecords: MAX_RECORDS,
      bufferBytes: BUFFER_BYTES,
      clock: this.clock,
      random: () => 0.5,
      breaker: new CircuitBreaker({
        openMs: 100,
        maxOpenMs: 1000,
        failures: 20,
        ratio: 1,
        clock: this.clock,
        random: () => 0.5,
      }),
      retryInMs: ({ failure, failedSends }) =>
        failure.kind === 'outage' || failedSends < settings.maxAttempts ? 10 : undefined,
      ...settings,
    });
    this.queue.partitionsKnown(PARTITIONS);
  }

  get isEmpty(): boolean {
    return this.queue.snapshot().queuedRecords === 0;
  }

  async run(given: Step): Promise<void> {
    if (given.do === 'deliver') this.deliver(given);
    if (given.do === 'answer') this.answer(given.which, given.how);
    await this.clock.advanceAsync(given.do === 'wait' ? given.ms : 0);
    this.check();
  }

  /** Lets the destination recover until nothing is inside. */
  async finish(): Promise<void> {
    for (let turn = 0; turn < 2000 && !this.isEmpty; turn += 1) {
      this.answer(0, 'ok');
      await this.clock.advanceAsync(50);
      this.check();
    }
  }

  private deliver({ count, key, bytes }: Extract<Step, { do: 'deliver' }>): void {
    const records = Array.from({ length: count }, (): Outgoing => {
      this.count += 1;
      const recordId = `r${this.count}`;
      const value = Buffer.alloc(bytes);
      return { recordId, key: KEYS[key] ?? null, value, headers: undefined, attempt: 1 };
    });
    const fitting = this.queue.accepts(records);
    const delivery = this.queue.deliver(records);
    assert.equal(delivery === undefined, fitting < count);
    if (delivery === undefined) return;
    this.deliveredCount += count;
    const ids = records.map((record) => record.recordId);
    const name = String(KEYS[key] ?? '');
    if (name !== '') this.taken.set(name, [...(this.taken.get(name) ?? []), ...ids]);
    void delivery.then((outcomes) =>
      outcomes.forEach((outcome, index) => {
        if (this.outcomes.has(ids[index]!)) throw new Error('A record has two outcomes.');
        this.outcomes.set(ids[index]!, outcome);
      }),
    );
  }

  private answer(which: number, how: Answer): void {
    const { out } = this.producer;
    const send = out[which % Math.max(1, out.length)];
    if (send === undefined) return;
    if (how === 'spoiled') this.spoiled.add(send.ids[which % send.ids.length]!);
    if (send.ids.some((id) => this.spoiled.has(id))) send.fail(brokerError('MESSAGE_TOO_LARGE'));
    else if (how === 'outage') send.fail(new Error('connection refused'));
    else if (how === 'retryable') send.fail(brokerError('UNKNOWN'));
    else send.answer();
  }

  private check(): void {
    const { queuedRecords, queuedBytes } = this.queue.snapshot();
    const { out } = this.producer;
    assert.ok(queuedRecords <= MAX_RECORDS && queuedBytes <= BUFFER_BYTES, 'within the bounds');
    const partitions = new Set(out.map((send) => send.partition));
    assert.equal(partitions.size, out.length, 'one send out per partition');
    assert.ok(!this.settings.idempotent || out.length <= 1, 'one send out in all');
    assert.ok(out.every((send) => send.ids.length <= MAX_RECORDS_PER_SEND));
  }

  /** What the partitions hold of a key: first writes are in intake order. */
  assertOrder(): void {
    const written = Array.from(this.producer.written.values()).flat();
    for (const ids of this.taken.values()) {
      const firsts = Array.from(new Set(written.filter((id) => ids.includes(id))));
      assert.deepEqual(
        firsts,
        ids.filter((id) => firsts.includes(id)),
      );
    }
  }

  assertOneOutcomeEach(): void {
    const { acknowledged, failed } = this.queue.snapshot();
    assert.ok(this.isEmpty);
    assert.equal(this.outcomes.size, this.deliveredCount);
    assert.equal(acknowledged + failed, this.deliveredCount);
    for (const [id, outcome] of this.outcomes) {
      if (outcome.kind !== 'acknowledged') continue;
      assert.equal(this.producer.written.get(outcome.partition)?.[Number(outcome.offset)], id);
    }
  }
}

describe('ProducerQueue against a model', () => {
  it('gives every record one outcome, keeps the order of each key and its bounds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.boolean(),
        fc.constantFrom(0, 5),
        fc.constantFrom(1, 3),
        async (steps, idempotent, lingerMs, maxAttempts) => {
          const model = new Model({ idempotent, lingerMs, maxAttempts });
          for (const each of steps) await model.run(each);
          await model.finish();
          model.assertOneOutcomeEach();
          model.assertOrder();
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);
});
