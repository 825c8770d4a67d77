import { CreditConsumer } from '#libs/kafka';
import { CollectingHandler } from '../support/collecting-handler.js';
import { InMemoryKafkaBooks } from '../support/in-memory-kafka-books.js';
import { KafkaProxy } from '../support/kafka-proxy.js';
import { createTestClient, keptLog, sourceOptions } from '../support/kafka-source.js';
import { testBrokers, TestKafka } from '../support/kafka.js';
import { until } from '../support/until.js';

jest.setTimeout(60_000);

describe('CreditConsumer behind a faulty network', () => {
  let kafka: TestKafka;
  let proxy: KafkaProxy;
  let source: CreditConsumer | undefined;
  const handler = () => new CollectingHandler();

  beforeAll(async () => {
    kafka = await TestKafka.connect();
  });
  beforeEach(async () => {
    proxy = new KafkaProxy(testBrokers().join());
    await proxy.open();
  });
  afterEach(async () => {
    await source?.stop();
    await proxy.close();
  });
  afterAll(() => kafka.close());

  const start = (topic: string, to: CollectingHandler, books = new InMemoryKafkaBooks()) => {
    const { lines, logger } = keptLog();
    const options = sourceOptions([topic], { logger });
    const { socketFactory } = proxy;
    const created = new CreditConsumer(options, () => createTestClient(options, { socketFactory }));
    source = created;
    created.start(to, books);
    return { source: created, lines, books, groupId: options.groupId };
  };

  it('starts without a broker and joins when it comes', async () => {
    const topic = await kafka.createTopic(1);
    await kafka.fill(topic, 1, 5);
    await proxy.close();
    const to = handler();
    const { source: started, lines } = start(topic, to);
    await until(() => started.snapshot().state === 'waiting', { what: 'the first attempt' });
    expect(
      lines.some(({ level, message }) => level === 'warn' && /tried again in/.test(message)),
    ).toBe(true);
    await proxy.open();
    await until(() => to.values().length === 5, { what: 'the records', deadlineMs: 20_000 });
    expect(started.snapshot().state).toBe('running');
  });

  it('goes on after its connections were cut, and delivers nothing twice', async () => {
    const topic = await kafka.createTopic(2);
    const to = handler();
    const { source: started, books } = start(topic, to);
    await kafka.fill(topic, 2, 10);
    await until(() => to.values().length === 20, { what: 'the first records' });
    for (let i = 1; i <= 3; i += 1) {
      proxy.cut();
      await kafka.fill(topic, 2, 10);
      await until(() => to.values().length === 20 * (i + 1), {
        what: 'the next records',
        deadlineMs: 30_000,
      });
    }
    for (const partition of [0, 1]) {
      await until(() => books.row(topic, partition)?.low === 40n, { what: 'the books' });
    }
    expect(started.snapshot().counters.lostRecords).toBe(0);
  });

  it('stops though the broker is silent', async () => {
    const topic = await kafka.createTopic(1);
    const to = handler();
    const { source: started, books, groupId } = start(topic, to);
    await kafka.fill(topic, 1, 5);
    await until(() => books.row(topic, 0)?.low === 5n, { what: 'the records' });
    expect(proxy.bytesToClient).toBeGreaterThan(proxy.bytesToBroker);
    proxy.fallSilent();
    await started.stop();
    expect(started.snapshot().state).toBe('stopped');
    // What it tried to say still arrives.
    proxy.speak();
    const empty = async (): Promise<boolean> => {
      const { groups } = await kafka.admin.describeGroups([groupId]);
      return groups[0]?.members.length === 0;
    };
    await until(empty, { what: 'the empty group', deadlineMs: 30_000 });
  });

  it('loses a produce response on demand, though the broker keeps the batch', async () => {
    const topic = await kafka.createTopic(1);
    const through = await TestKafka.connect({ socketFactory: proxy.socketFactory });
    proxy.dropNextProduceResponse();
    await through.produce(topic, [{ partition: 0, value: 'once or twice' }]);
    await through.close();
    // The retry of the client wrote it again.
    expect(await kafka.readAll(topic)).toHaveLength(2);
  });
});
