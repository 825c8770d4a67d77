import { CreditConsumer, registerCodecs } from '#libs/kafka';
import kafkajs from 'kafkajs';
import { CollectingHandler } from '../support/collecting-handler.js';
import { InMemoryKafkaBooks } from '../support/in-memory-kafka-books.js';
import { createSource, explosive, sourceOptions } from '../support/kafka-source.js';
import { TestKafka, uniqueName } from '../support/kafka.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

describe('CreditConsumer on a broker', () => {
  let kafka: TestKafka;
  const sources: CreditConsumer[] = [];

  beforeAll(async () => {
    kafka = await TestKafka.connect();
  });
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((source) => source.stop()));
  });
  afterAll(() => kafka.close());

  const start = (
    args: Parameters<typeof createSource>,
    handler = new CollectingHandler(),
    books = new InMemoryKafkaBooks(),
  ): { source: CreditConsumer; handler: CollectingHandler; books: InMemoryKafkaBooks } => {
    const source = createSource(...args);
    sources.push(source);
    source.start(handler, books);
    return { source, handler, books };
  };

  it('hands over every record once, in order, and commits what the books hold', async () => {
    const topic = await kafka.createTopic(4);
    const groupId = uniqueName('group');
    await kafka.fill(topic, 4, 1000);
    const { source, handler, books } = start([[topic], { groupId }]);

    await until(() => handler.values().length >= 4000, { what: '4 000 records' });
    for (let partition = 0; partition < 4; partition += 1) {
      const expected = Array.from({ length: 1000 }, (_, i) => `${partition}-${i}`);
      expect(handler.values(partition)).toEqual(expected);
    }
    await source.drain(5000);
    await source.stop();
    expect(await kafka.committed(groupId, topic)).toEqual([1000, 1000, 1000, 1000]);
    expect(books.row(topic, 3)).toMatchObject({ low: 1000n, gaps: 0n });
    expect(books.mostWritesAtOnce).toBe(1);
  });

  it('lets the other partitions finish while one is blocked (C1)', async () => {
    const topic = await kafka.createTopic(4);
    await kafka.fill(topic, 4, 1500);
    const handler = new CollectingHandler();
    handler.endsAtOnce = ({ partition }) => partition !== 2;
    const { source } = start([[topic], { timing: { creditWaitSliceMs: 100 } }], handler);

    await until(() => [0, 1, 3].every((partition) => handler.values(partition).length === 1500), {
      what: 'the end of partitions 0, 1 and 3',
      deadlineMs: 20_000,
    });
    expect(handler.values(2)).toHaveLength(1024);
    handler.endsAtOnce = () => true;
    handler.finish();
    await until(() => handler.values(2).length === 1500, { what: 'the rest of partition 2' });
    expect(source.snapshot().counters.duplicates).toBe(0);
  });

  it('never has more records out than credits', async () => {
    const topic = await kafka.createTopic(2);
    await kafka.fill(topic, 2, 500);
    const handler = new CollectingHandler();
    handler.credits = 64;
    handler.endsAtOnce = () => false;
    start([[topic], { timing: { creditWaitSliceMs: 20 } }], handler);

    await until(
      () => {
        handler.finish();
        return handler.values().length >= 1000;
      },
      { what: '1 000 records', deadlineMs: 20_000 },
    );
    expect(handler.values()).toHaveLength(1000);
    expect(handler.mostOutstanding).toBeLessThanOrEqual(64);
  });

  it('delivers again after a pause, and keeps the pause over a crash (C2, C11)', async () => {
    const topic = await kafka.createTopic(2);
    const bomb = explosive();
    const source = new CreditConsumer(sourceOptions([topic]), () => bomb.createClient());
    sources.push(source);
    const handler = new CollectingHandler();
    source.start(handler, new InMemoryKafkaBooks());
    await until(() => source.snapshot().partitions.length === 2, { what: 'the assignment' });
    source.pause('operator', 1);
    await kafka.fill(topic, 2, 10);
    await until(() => handler.values(0).length === 10, { what: 'partition 0' });

    bomb.arm();
    await kafka.fill(topic, 2, 10);
    await until(() => source.snapshot().counters.crashes === 1, { what: 'the crash' });
    await until(() => handler.values(0).length === 20, { what: 'partition 0 again' });
    expect(handler.values(1)).toEqual([]);
    expect(source.snapshot().partitions[1]).toMatchObject({ pausedFor: ['operator'] });

    source.resume('operator', 1);
    await until(() => handler.values(1).length === 20, { what: 'partition 1' });
  });

  it('does not crash when the handler throws, and delivers the records again (C8, C9)', async () => {
    const topic = await kafka.createTopic(1);
    await kafka.fill(topic, 1, 60);
    const handler = new CollectingHandler();
    let failures = 0;
    handler.onOffer = () => {
      failures += 1;
      if (failures <= 50) throw new TypeError('a defect of the handler');
    };
    const { source } = start([[topic]], handler);

    await until(() => handler.values().length === 60, { what: 'the records', deadlineMs: 20_000 });
    expect(source.snapshot().counters).toMatchObject({ handlerErrors: 50, crashes: 0 });
    expect(new Set(handler.values()).size).toBe(60);
  });

  it('restarts at the first record that is left when retention ate the position (C15)', async () => {
    const topic = await kafka.createTopic(1);
    await kafka.fill(topic, 1, 100);
    const { source, handler } = start([[topic]]);
    await until(() => handler.values().length === 100, { what: 'the first records' });
    source.pause('operator');
    await kafka.fill(topic, 1, 200);
    await kafka.deleteRecords(topic, 0, '250');
    source.resume('operator');

    await until(() => handler.values().length === 150, { what: 'what is left' });
    expect(handler.records[100]?.offset).toBe(250n);
    expect(source.snapshot().counters).toMatchObject({ offsetResets: 1, lostRecords: 150 });
    await until(() => source.snapshot().partitions[0]?.low === 300n, { what: 'the watermark' });
  });

  it('reads snappy, gzip and transactions with their markers (C5, C18)', async () => {
    registerCodecs({ maxDecompressedBytes: 67_108_864 });
    const topic = await kafka.createTopic(1);
    const { CompressionTypes } = kafkajs;
    const message = (value: string) => [{ partition: 0, value }];
    await kafka.produce(topic, message('snappy'.repeat(100)), CompressionTypes.Snappy);
    await kafka.produce(topic, message('gzip'.repeat(100)), CompressionTypes.GZIP);
    await kafka.inTransaction(topic, message('committed'));
    await kafka.inTransaction(topic, message('aborted'), 'abort');
    const { source, handler, books } = start([[topic]]);

    await until(() => handler.values().length === 3, { what: 'three records' });
    expect(handler.values().map((value) => value.slice(0, 9))).toEqual([
      'snappysna',
      'gzipgzipg',
      'committed',
    ]);
    // Two markers and the aborted record are gaps.
    await until(() => books.row(topic, 0)?.low === 6n, {
      what: 'the watermark behind the markers',
    });
    expect(books.row(topic, 0)?.gaps).toBe(3n);
    expect(source.snapshot().counters.crashes).toBe(0);
    await kafka.produce(topic, message('after'));
    await until(() => handler.values().length === 4, { what: 'the record after the markers' });
  });

  it('goes on after a restart where the books stand, without a record twice', async () => {
    const topic = await kafka.createTopic(1);
    const groupId = uniqueName('group');
    await kafka.fill(topic, 1, 100);
    const handler = new CollectingHandler();
    handler.endsAtOnce = ({ records }) => records[0]?.offset !== 0n;
    const { source, books } = start([[topic], { groupId }, { maxRecordsPerTurn: 10 }], handler);
    await until(() => handler.values().length === 100, { what: 'the first run' });
    await source.drain(100);
    await source.stop();
    expect(books.row(topic, 0)).toMatchObject({ low: 0n });
    expect(await kafka.committed(groupId, topic)).toEqual([0]);

    const second = start([[topic], { groupId }], new CollectingHandler(), books);
    await kafka.produce(topic, [{ partition: 0, value: 'new' }]);
    await until(() => second.handler.values().includes('new'), { what: 'the new record' });
    expect(second.handler.records.map(({ offset }) => Number(offset))).toEqual([
      ...Array.from({ length: 10 }, (_, i) => i),
      100,
    ]);
  });

  it('begins at the end of a topic nobody knows yet, once, when it is told so', async () => {
    const topic = await kafka.createTopic(2);
    const groupId = uniqueName('group');
    await kafka.fill(topic, 2, 10);
    const first = start([[topic], { groupId, start: 'latest' }]);
    await until(
      () => first.source.snapshot().partitions.filter(({ low }) => low === 10n).length === 2,
      { what: 'the end of the topic' },
    );
    expect(await kafka.committed(groupId, topic)).toEqual([10, 10]);
    await first.source.stop();
    await kafka.fill(topic, 2, 5);

    const second = start([[topic], { groupId, start: 'latest' }], undefined, first.books);
    await until(() => second.handler.values().length === 10, { what: 'what came meanwhile' });
    expect(first.handler.values()).toEqual([]);
    await kafka.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    const later = await TestKafka.connect();
    await later.produce(topic, [{ partition: 2, value: 'first of a new partition' }]);
    await later.close();
    await second.source.stop();
    const third = start([[topic], { groupId, start: 'latest' }], undefined, first.books);
    await until(() => third.handler.values(2).length === 1, { what: 'the new partition' });
  });

  it('tells lag in records and seconds', async () => {
    const topic = await kafka.createTopic(1);
    const handler = new CollectingHandler();
    handler.endsAtOnce = () => false;
    const { source } = start([[topic]], handler);
    await kafka.fill(topic, 1, 10);
    await until(() => handler.values().length === 10, { what: 'the records' });
    const [lag] = source.lag();
    expect(lag).toMatchObject({ topic, partition: 0, records: 10, isAtLeast: false });
    expect(lag?.seconds).toBeGreaterThanOrEqual(0);
    handler.finish();
    expect(source.lag()[0]).toMatchObject({ records: 0, seconds: 0 });
  });
});
