import { Kafka, logLevel } from 'kafkajs';
import { CircuitBreaker, SystemClock } from '#libs/flow-control';
import { registerCodecs } from '../../libs/kafka/src/compression.js';
import { clientConfig } from '../../libs/kafka/src/kafka-clients.js';
import type { KafkaSink, Outgoing, SendOutcome } from '../../libs/kafka/src/kafka-sink.js';
import { KafkajsProducer } from '../../libs/kafka/src/kafkajs-producer.js';
import { ProducerQueue } from '../../libs/kafka/src/producer-queue.js';
import { KAFKA_PROFILES, type KafkaTuning, tuningOf } from '../../libs/kafka/src/profiles.js';
import { TestKafka, testBrokers, uniqueName } from '../support/kafka.js';
import { type Broker, createBroker } from '../support/kafka-broker.mjs';
import { KafkaProxy } from '../support/kafka-proxy.js';
import { until } from '../support/until.js';

const clock = new SystemClock();
const silence = (): undefined => undefined;
const logger = { error: silence, warn: silence, info: silence, debug: silence };
const LONG_MS = 90_000;

interface Given {
  readonly brokers?: readonly string[];
  readonly proxy?: KafkaProxy;
  readonly tuning?: KafkaTuning;
  readonly maxRecords?: number;
}

/** A started sink; a failed batch goes again after 20 ms, whatever its kind, as often as it takes. */
function sinkFor(topic: string, given: Given = {}): KafkaSink {
  const tuning = given.tuning ?? tuningOf('low-latency');
  const connection = { brokers: given.brokers ?? testBrokers(), clientId: 'sink' };
  const config = clientConfig(connection, tuning.producerRequestTimeoutMs, logger);
  const producer = new KafkajsProducer({
    topic,
    tuning,
    idempotent: false,
    createClient: () =>
      new Kafka({ ...config, ...(given.proxy && { socketFactory: given.proxy.socketFactory }) }),
    onPartitions: (partitions) => sink.partitionsKnown(partitions),
  });
  const sink = new ProducerQueue(producer, {
    ...tuning,
    maxRecords: given.maxRecords ?? 1000,
    ackTimeoutMs: 10_000,
    idempotent: false,
    breaker: new CircuitBreaker({
      openMs: 100,
      maxOpenMs: 500,
      failures: 20,
      ratio: 0.7,
      clock,
      random: Math.random,
    }),
    retryInMs: () => 20,
    clock,
    random: Math.random,
  });
  sink.start();
  return sink;
}

/** Records of `keys` keys in turn; the value is `key-number`, the number counting within the key. */
const numbered = (count: number, keys: number, from = 0): Outgoing[] =>
  Array.from({ length: count }, (_, index) => {
    const key = `key${(from + index) % keys}`;
    const value = `${key}-${Math.floor((from + index) / keys)}`;
    return outgoing(value, key);
  });

const outgoing = (value: string, key: string | null = null): Outgoing => ({
  recordId: value,
  key: key === null ? null : Buffer.from(key),
  value: Buffer.from(value),
  headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
  attempt: 1,
});

const kindsOf = (outcomes: readonly SendOutcome[]): string[] =>
  Array.from(new Set(outcomes.map((outcome) => outcome.kind)));

/** Delivers slices of 50 as room appears; resolves with all outcomes. */
async function deliverAll(sink: KafkaSink, records: readonly Outgoing[]): Promise<SendOutcome[]> {
  const deliveries: Promise<readonly SendOutcome[]>[] = [];
  for (let from = 0; from < records.length;) {
    const slice = records.slice(from, from + 50);
    const delivery = sink.deliver(slice);
    if (delivery === undefined) {
      await until(() => sink.accepts(slice) === slice.length, { deadlineMs: LONG_MS });
      continue;
    }
    deliveries.push(delivery);
    from += slice.length;
  }
  return (await Promise.all(deliveries)).flat();
}

/** First writes of each key, by the number in the value. */
function firstWrites(read: readonly { key: string | null; value: string | null }[]) {
  const byKey = new Map<string, number[]>();
  for (const { key, value } of read) {
    const numbers = byKey.get(key ?? '') ?? [];
    byKey.set(key ?? '', numbers);
    const number = Number(value?.split('-')[1]);
    if (!numbers.includes(number)) numbers.push(number);
  }
  return byKey;
}

function expectAllInOrder(read: Parameters<typeof firstWrites>[0], count: number, keys: number) {
  const byKey = firstWrites(read);
  expect(byKey.size).toBe(keys);
  const inOrder = Array.from({ length: count / keys }, (_, number) => number);
  for (const numbers of byKey.values()) expect(numbers).toEqual(inOrder);
}

describe('the Kafka sink on a real broker', () => {
  let kafka: TestKafka;
  const sinks: KafkaSink[] = [];
  const proxies: KafkaProxy[] = [];

  const started = (topic: string, given: Given = {}): KafkaSink => {
    const sink = sinkFor(topic, given);
    sinks.push(sink);
    return sink;
  };
  const proxied = async (): Promise<KafkaProxy> => {
    const proxy = new KafkaProxy(testBrokers().join(','));
    proxies.push(proxy);
    await proxy.open();
    return proxy;
  };

  beforeAll(async () => {
    registerCodecs({ maxDecompressedBytes: 64 * 1_048_576 });
    kafka = await TestKafka.connect();
  }, LONG_MS);

  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink.stop();
    for (const proxy of proxies.splice(0)) await proxy.close();
  });

  afterAll(async () => {
    await kafka.close();
  });

  it('tells every record the partition and offset it has', async () => {
    const topic = await kafka.createTopic(3);
    const outcomes = await started(topic).deliver(numbered(30, 5));
    const read = await kafka.readAll(topic);
    const at = new Map(read.map((each) => [`${each.partition}:${each.offset}`, each.value]));
    const values = outcomes!.map((outcome) =>
      outcome.kind === 'acknowledged' ? at.get(`${outcome.partition}:${outcome.offset}`) : 'lost',
    );
    expect(values).toEqual(numbered(30, 5).map(({ value }) => String(value)));
  });

  it('takes records before there is a connection, and spreads keyless ones', async () => {
    const topic = await kafka.createTopic(4);
    const sink = started(topic, { maxRecords: 2000 });
    const records = Array.from({ length: 1000 }, (_, index) => outgoing(`v-${index}`));
    expect(kindsOf(await deliverAll(sink, records))).toEqual(['acknowledged']);
    const read = await kafka.readAll(topic);
    expect(new Set(read.map((each) => each.partition)).size).toBeGreaterThan(1);
    expect(new Set(read.map((each) => each.value)).size).toBe(1000);
  });

  it.each(KAFKA_PROFILES)('delivers everything in order with the profile %s', async (profile) => {
    const topic = await kafka.createTopic(3);
    const sink = started(topic, { tuning: tuningOf(profile) });
    const outcomes = await deliverAll(sink, numbered(1200, 6));
    expect(kindsOf(outcomes)).toEqual(['acknowledged']);
    const read = await kafka.readAll(topic);
    expect(read).toHaveLength(1200);
    expectAllInOrder(read, 1200, 6);
  });

  it('makes fewer and larger sends the more a profile batches', async () => {
    const sends = new Map<string, number>();
    for (const profile of ['low-latency', 'balanced', 'high-throughput'] as const) {
      const sink = started(await kafka.createTopic(1), { tuning: tuningOf(profile) });
      await deliverAll(sink, numbered(1000, 4));
      sends.set(profile, sink.snapshot().sends);
    }
    expect(sends.get('low-latency')).toBeGreaterThan(sends.get('balanced')!);
    // Both send all that gathers while the send before is out; they differ in when a send is due.
    expect(sends.get('balanced')).toBeGreaterThanOrEqual(sends.get('high-throughput')!);
  });

  it('sends fewer bytes with snappy than without', async () => {
    const bytes = new Map<string, number>();
    for (const compression of ['none', 'snappy'] as const) {
      const proxy = await proxied();
      const tuning = tuningOf('standard', { compression });
      const topic = await kafka.createTopic(1);
      const sink = started(topic, { tuning, proxy });
      await deliverAll(sink, numbered(1000, 4));
      bytes.set(compression, proxy.bytesToBroker);
      expect(await kafka.readAll(topic)).toHaveLength(1000);
    }
    expect(bytes.get('snappy')).toBeLessThan(bytes.get('none')! / 2);
  });

  it(
    'keeps the order of each key and loses nothing when connections are cut and answers get lost',
    async () => {
      const topic = await kafka.createTopic(3);
      const proxy = await proxied();
      const sink = started(topic, { proxy });
      const done = deliverAll(sink, numbered(6000, 6));
      for (const acknowledged of [500, 1500, 2500, 3500, 4500]) {
        await until(() => sink.snapshot().acknowledged >= acknowledged, { deadlineMs: LONG_MS });
        if (acknowledged % 1000 === 0) proxy.cut();
        else proxy.dropNextProduceResponse();
      }
      expect(kindsOf(await done)).toEqual(['acknowledged']);
      expectAllInOrder(await kafka.readAll(topic), 6000, 6);
    },
    LONG_MS,
  );

  it('fails only the record that is too large, and delivers the others of its batch', async () => {
    const topic = await kafka.createTopic(1, { config: { 'max.message.bytes': '20000' } });
    const sink = started(topic, {
      tuning: tuningOf('balanced', {
        batchBytes: 15_000,
        maxBytesPerSend: 15_000,
        compression: 'none',
      }),
    });
    const large = { ...outgoing('key0-large', 'key0'), value: Buffer.alloc(30_000) };
    const small = numbered(40, 1);
    const records = [...small.slice(0, 17), large, ...small.slice(17)];
    const outcomes = await sink.deliver(records);
    const failed = outcomes!.flatMap((outcome, index) => (outcome.kind === 'failed' ? index : []));
    expect(failed).toEqual([17]);
    expect(outcomes![17]).toMatchObject({ failure: { kind: 'final' } });
    expectAllInOrder(await kafka.readAll(topic), 40, 1);
  });

  it('halves a batch that the broker finds too large as a whole', async () => {
    const topic = await kafka.createTopic(1, { config: { 'max.message.bytes': '4000' } });
    const tuning = tuningOf('balanced', { batchBytes: 60_000, compression: 'none' });
    const sink = started(topic, { tuning });
    const outcomes = await sink.deliver(numbered(200, 1));
    expect(kindsOf(outcomes!)).toEqual(['acknowledged']);
    expectAllInOrder(await kafka.readAll(topic), 200, 1);
  });

  it(
    'delivers again after its topic was deleted and created anew, with other partitions (P8)',
    async () => {
      const topic = await kafka.createTopic(4);
      const sink = started(topic);
      expect(kindsOf((await sink.deliver(numbered(20, 4)))!)).toEqual(['acknowledged']);
      await kafka.deleteTopic(topic);
      const waiting = sink.deliver(numbered(40, 4));
      await until(() => sink.snapshot().failedSends > 0, { what: 'a failed send' });
      await kafka.createTopic(2, { name: topic });
      expect(kindsOf((await waiting)!)).toEqual(['acknowledged']);
      expectAllInOrder(await kafka.readAll(topic), 40, 4);
    },
    LONG_MS,
  );

  it(
    'waits for a topic that does not exist yet',
    async () => {
      const topic = uniqueName('late');
      const sink = started(topic);
      const delivery = sink.deliver(numbered(4, 2));
      expect(sink.snapshot()).toMatchObject({ partitions: 0, unplaced: 4 });
      await kafka.createTopic(2, { name: topic });
      expect(kindsOf((await delivery)!)).toEqual(['acknowledged']);
    },
    LONG_MS,
  );
});

describe('the Kafka sink over a broker that dies', () => {
  let broker: Broker;

  beforeAll(async () => {
    broker = await createBroker();
  }, LONG_MS);

  afterAll(async () => {
    await broker.stop();
  }, LONG_MS);

  it('delivers every record in order through two kills under load, and holds no more than its bound', async () => {
    const brokers = [broker.brokers];
    const client = new Kafka({
      brokers,
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 100, retries: 20 },
    });
    const topic = uniqueName('kill');
    const admin = client.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: true });
    await admin.disconnect();
    const sink = sinkFor(topic, { brokers, maxRecords: 500 });
    const done = deliverAll(sink, numbered(6000, 6));
    let peak = 0;
    for (const acknowledged of [1000, 3000]) {
      await until(() => sink.snapshot().acknowledged >= acknowledged, { deadlineMs: LONG_MS });
      await broker.kill();
      await until(() => sink.snapshot().failedSends > 0, { what: 'a failed send' });
      peak = Math.max(peak, sink.snapshot().queuedRecords);
      await broker.start();
    }
    expect(kindsOf(await done)).toEqual(['acknowledged']);
    expect(peak).toBeLessThanOrEqual(500);
    await sink.stop();

    const read: { key: string | null; value: string | null }[] = [];
    const consumer = client.consumer({ groupId: uniqueName('reader') });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message: { key, value } }) => {
        read.push({ key: key && key.toString(), value: value && value.toString() });
        return Promise.resolve();
      },
    });
    await until(() => new Set(read.map((each) => each.value)).size === 6000, {
      deadlineMs: LONG_MS,
      what: 'all 6 000 records',
    });
    await consumer.disconnect();
    expectAllInOrder(read, 6000, 6);
  }, 180_000);
});
