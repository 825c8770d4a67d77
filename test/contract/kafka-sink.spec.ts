import { SystemClock } from '#libs/flow-control';
import { createKafka, kafkajsSink, registerCodecs, TopicCheck, tuningOf } from '#libs/kafka';
import { KafkaSink } from '../../src/final-sink/sinks/kafka.sink.js';
import type { DeliveryOutcome } from '../../src/final-sink/sinks/sink.js';
import { GUARD_SETTINGS } from '../support/guard.js';
import { readMessages } from '../support/kafka-messages.js';
import { quietLogger } from '../support/kafka-source.js';
import { TestKafka, testBrokers } from '../support/kafka.js';
import { makeRecord } from '../support/ledger.js';
import { DELIVERY, sinkContract, type SinkUnderTest } from './sink.contract.js';

const MAX_MESSAGE_BYTES = 20_000;
const RECORD_ID = 'penstock-record-id';
const clock = new SystemClock();

jest.setTimeout(60_000);

describe('KafkaSink on a real broker', () => {
  let kafka: TestKafka;
  const sinks: KafkaSink[] = [];

  beforeAll(async () => {
    registerCodecs({ maxDecompressedBytes: 64 * 1_048_576 });
    kafka = await TestKafka.connect();
  });
  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink.stop();
  });
  afterAll(() => kafka.close());

  async function makeSink(partitions = 1): Promise<SinkUnderTest & { topic: string }> {
    const config = { 'max.message.bytes': String(MAX_MESSAGE_BYTES) };
    const topic = await kafka.createTopic(partitions, { config });
    const common = { clock, random: Math.random, logger: quietLogger };
    const connection = { brokers: testBrokers(), clientId: 'contract' };
    const sink = new KafkaSink({
      name: 'kafka',
      topic,
      breaker: GUARD_SETTINGS,
      ...common,
      createProducer: (policy) =>
        kafkajsSink({
          ...common,
          ...policy,
          connection,
          topic,
          tuning: tuningOf('balanced'),
          maxRecords: 1000,
          ackTimeoutMs: 10_000,
        }),
      createTopicCheck: (onReady) =>
        new TopicCheck({
          ...common,
          specs: [{ name: topic, role: 'output' }],
          create: false,
          createAdmin: () => createKafka(connection, 10_000, quietLogger).admin(),
          onReady,
        }),
    });
    sinks.push(sink);
    await sink.start();
    return {
      sink,
      topic,
      accepted: async (fields) => makeRecord(fields),
      refusable: async (fields) =>
        makeRecord({ ...fields, body: Buffer.alloc(2 * MAX_MESSAGE_BYTES, 'x') }),
      delivered: async () => {
        const ends = await kafka.admin.fetchTopicOffsets(topic);
        const count = ends.reduce((sum, { high }) => sum + Number(high), 0);
        const read = await readMessages(testBrokers(), topic, ({ length }) => length === count);
        return read.map(({ headers }) => headers[RECORD_ID]!);
      },
      endOf: async () => undefined,
    };
  }

  sinkContract('KafkaSink', makeSink);

  it('sends key, bytes and headers as they are, with the record’s id', async () => {
    const { sink, topic } = await makeSink(3);
    const body = Buffer.from('{ "total" : 1.50 }');
    const record = makeRecord({
      key: 'customer-42 ü',
      headers: { traceparent: '00-a-b-01' },
      body,
    });
    const [outcome] = await sink.deliver([record], DELIVERY);
    const [message] = await readMessages(testBrokers(), topic, ({ length }) => length === 1);
    expect(message).toMatchObject({ key: 'customer-42 ü', value: body });
    expect(message!.headers).toEqual({
      traceparent: '00-a-b-01',
      [RECORD_ID]: record.id,
      'penstock-attempt': '1',
    });
    const { kind, externalId } = outcome as Extract<DeliveryOutcome, { kind: 'acknowledged' }>;
    expect(kind).toBe('acknowledged');
    expect(externalId?.toString()).toBe(`${topic}:${message!.partition}:0`);
  });

  it('keeps the order of each key over calls that run side by side', async () => {
    const { sink, topic } = await makeSink(4);
    const calls = Array.from({ length: 100 }, (_, call) =>
      Array.from({ length: 10 }, (_unused, i) =>
        makeRecord({ key: `key-${i}`, payload: undefined, body: Buffer.from(String(call)) }),
      ),
    );
    await Promise.all(calls.map((records) => sink.deliver(records, DELIVERY)));
    const read = await readMessages(testBrokers(), topic, ({ length }) => length === 1000);
    for (let i = 0; i < 10; i += 1) {
      const numbers = read
        .filter(({ key }) => key === `key-${i}`)
        .map(({ value }) => Number(value));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(numbers).toHaveLength(100);
    }
  });
});
