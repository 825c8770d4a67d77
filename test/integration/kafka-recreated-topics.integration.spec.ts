import type { CreditConsumer, NewIncarnation } from '#libs/kafka';
import { CollectingHandler } from '../support/collecting-handler.js';
import { InMemoryKafkaBooks } from '../support/in-memory-kafka-books.js';
import { createSource } from '../support/kafka-source.js';
import { TestKafka, uniqueName } from '../support/kafka.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

/** Instead of 30 s. */
const timing = { endBelowLowMs: 300 };

describe('A topic that is made anew', () => {
  let kafka: TestKafka;
  const sources: CreditConsumer[] = [];

  beforeAll(async () => {
    kafka = await TestKafka.connect();
  });
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((source) => source.stop()));
  });
  afterAll(() => kafka.close());

  const start = (topic: string, groupId: string, books: InMemoryKafkaBooks) => {
    const source = createSource([topic], { groupId, timing });
    const handler = new CollectingHandler();
    const incarnations: NewIncarnation[] = [];
    source.events.on('incarnation', (change) => incarnations.push(change));
    sources.push(source);
    source.start(handler, books);
    return { source, handler, incarnations };
  };

  const recreate = async (topic: string, values: readonly string[]): Promise<void> => {
    await kafka.deleteTopic(topic);
    await kafka.createTopic(1, { name: topic });
    const fresh = await TestKafka.connect();
    await fresh.produce(
      topic,
      values.map((value) => ({ partition: 0, value })),
    );
    await fresh.close();
  };

  const values = (count: number) => Array.from({ length: count }, (_, i) => `new-${i}`);

  it.each([
    ['fewer', 5],
    ['more', 40],
  ])(
    'begins a new incarnation under a stopped service, with %s records than before',
    async (_, count) => {
      const topic = await kafka.createTopic(1);
      const groupId = uniqueName('group');
      const books = new InMemoryKafkaBooks();
      await kafka.fill(topic, 1, 20);
      const first = start(topic, groupId, books);
      await until(() => books.row(topic, 0)?.low === 20n, { what: 'the first topic' });
      await first.source.stop();
      await recreate(topic, values(count));

      const { handler, incarnations, source } = start(topic, groupId, books);
      await until(() => handler.values().length === count, { what: 'the new records' });
      expect(handler.values()).toEqual(values(count));
      expect(handler.slices[0]).toMatchObject({ incarnation: 2 });
      expect(incarnations).toEqual([
        { topic, partition: 0, oldIncarnation: 1, incarnation: 2, oldLow: 20n },
      ]);
      expect(source.snapshot().counters.incarnations).toBe(1);
      await until(() => books.row(topic, 0, 2)?.low === BigInt(count), { what: 'the new books' });
      expect(books.row(topic, 0, 1)?.low).toBe(20n);
    },
  );

  it.each([
    ['fewer', 5],
    ['more', 40],
  ])(
    'begins a new incarnation under a running service, with %s records than before',
    async (_, count) => {
      const topic = await kafka.createTopic(1);
      const books = new InMemoryKafkaBooks();
      await kafka.fill(topic, 1, 20);
      const { handler } = start(topic, uniqueName('group'), books);
      await until(() => books.row(topic, 0)?.low === 20n, { what: 'the first topic' });
      await recreate(topic, values(count));

      await until(() => handler.values().length === 20 + count, {
        what: 'the new records',
        deadlineMs: 30_000,
      });
      expect(handler.values().slice(20)).toEqual(values(count));
      expect(handler.slices.at(-1)).toMatchObject({ incarnation: 2 });
    },
  );

  it('is not seen in a record that is missing before low', async () => {
    const topic = await kafka.createTopic(1);
    const groupId = uniqueName('group');
    const books = new InMemoryKafkaBooks();
    await kafka.fill(topic, 1, 20);
    const first = start(topic, groupId, books);
    await until(() => books.row(topic, 0)?.low === 20n, { what: 'the records' });
    await first.source.stop();
    await kafka.fill(topic, 1, 10);
    await kafka.deleteRecords(topic, 0, '20');

    const { handler, incarnations, source } = start(topic, groupId, books);
    await until(() => handler.values().length === 10, { what: 'the later records' });
    expect(incarnations).toEqual([]);
    expect(source.snapshot().counters.offsetResets).toBe(0);
  });
});
