import type { CreditConsumer } from '#libs/kafka';
import { CollectingHandler } from '../support/collecting-handler.js';
import { InMemoryKafkaBooks } from '../support/in-memory-kafka-books.js';
import { createSource } from '../support/kafka-source.js';
import { TestKafka, uniqueName } from '../support/kafka.js';
import { until } from '../support/until.js';

jest.setTimeout(90_000);

const PARTITIONS = 4;
const quick = { heartbeatIntervalMs: 100 };

describe('CreditConsumer in a rebalance', () => {
  let kafka: TestKafka;
  let topic: string;
  let groupId: string;
  let books: InMemoryKafkaBooks;
  const members: CreditConsumer[] = [];

  beforeAll(async () => {
    kafka = await TestKafka.connect();
  });
  beforeEach(async () => {
    topic = await kafka.createTopic(PARTITIONS);
    groupId = uniqueName('group');
    books = new InMemoryKafkaBooks();
  });
  afterEach(async () => {
    await Promise.all(members.splice(0).map((source) => source.stop()));
  });
  afterAll(() => kafka.close());

  const join = (handler: CollectingHandler): CreditConsumer => {
    const timing = { creditWaitSliceMs: 100 };
    const source = createSource([topic], { groupId, timing }, quick);
    members.push(source);
    source.start(handler, books);
    return source;
  };

  const owned = (source: CreditConsumer): number[] =>
    source
      .snapshot()
      .partitions.filter(({ low }) => low !== undefined)
      .map(({ partition }) => partition);

  const untilOwned = (source: CreditConsumer, count: number): Promise<boolean> =>
    until(() => owned(source).length === count, {
      what: `${count} partitions`,
      deadlineMs: 30_000,
    });

  it('shares the partitions between two members of one process, each with a client of its own (C19)', async () => {
    const handlers = [new CollectingHandler(), new CollectingHandler()] as const;
    const first = join(handlers[0]);
    await untilOwned(first, PARTITIONS);
    const second = join(handlers[1]);
    await untilOwned(first, 2);
    await untilOwned(second, 2);
    await kafka.fill(topic, PARTITIONS, 50);

    await until(() => handlers[0].values().length + handlers[1].values().length >= 200, {
      what: 'all records',
    });
    expect(new Set([...handlers[0].values(), ...handlers[1].values()]).size).toBe(200);
    await until(
      async () => (await kafka.committed(groupId, topic)).every((offset) => offset === 50),
      { what: 'the commits of both' },
    );
  });

  it('marks and commits nothing for a partition that went to somebody else (C10)', async () => {
    const slow = new CollectingHandler();
    slow.endsAtOnce = () => false;
    const first = join(slow);
    await untilOwned(first, PARTITIONS);
    await kafka.fill(topic, PARTITIONS, 20);
    await until(() => slow.values().length === 80, { what: 'the records in flight' });

    const other = new CollectingHandler();
    other.endsAtOnce = () => false;
    const second = join(other);
    await untilOwned(second, 2);
    await untilOwned(first, 2);
    const moved = owned(second);
    await until(() => moved.every((partition) => other.values(partition).length === 20), {
      what: 'the redelivery',
    });
    // Late: the first member's completions of all partitions.
    slow.finish();
    await until(() => owned(first).every((partition) => books.row(topic, partition)?.low === 20n), {
      what: 'the books of what it kept',
    });
    await until(async () => (await kafka.committed(groupId, topic)).includes(20), {
      what: 'a commit of what it kept',
    });
    for (const partition of moved) expect(books.row(topic, partition)?.low).toBe(0n);
    const committed = await kafka.committed(groupId, topic);
    for (const partition of moved) expect(committed[partition]).toBe(0);
    expect(slow.values().length).toBe(80);
  });

  it('skips no offset when it rejoins while a handler is blocked (C7, C13)', async () => {
    const blocked = new CollectingHandler();
    blocked.credits = 10;
    blocked.endsAtOnce = () => false;
    const first = join(blocked);
    await untilOwned(first, PARTITIONS);
    await kafka.fill(topic, PARTITIONS, 100);
    await until(() => blocked.values().length === 10, { what: 'the credits to be spent' });

    const other = new CollectingHandler();
    const second = join(other);
    await untilOwned(second, 2);
    blocked.endsAtOnce = () => true;
    blocked.credits = Infinity;
    blocked.finish();
    const all = (): Set<string> => new Set([...blocked.values(), ...other.values()]);
    await until(() => all().size === 400, { what: 'every record', deadlineMs: 30_000 });
    await until(
      () =>
        Array.from({ length: PARTITIONS }, (_, i) => i).every(
          (i) => books.row(topic, i)?.low === 100n,
        ),
      { what: 'the end of the books' },
    );
    for (const { gaps } of books.written) expect(gaps).toBe(0n);
  });

  it('hands each offset over once an owner, over ten rejoins under load (C3, C12, C14)', async () => {
    const handler = new CollectingHandler();
    handler.endsAtOnce = () => false;
    const stay = join(handler);
    await untilOwned(stay, PARTITIONS);
    let produced = 0;
    let isDone = false;
    const load = (async () => {
      while (!isDone) {
        await kafka.fill(topic, PARTITIONS, 10);
        produced += 10;
        handler.finish();
      }
    })();
    const guests: CollectingHandler[] = [];
    for (let i = 0; i < 5; i += 1) {
      const guest = new CollectingHandler();
      guests.push(guest);
      const source = join(guest);
      await untilOwned(source, 2);
      await source.drain(1000);
      await source.stop();
      await untilOwned(stay, PARTITIONS);
    }
    isDone = true;
    await load;
    handler.endsAtOnce = () => true;
    handler.finish();
    await until(
      () => {
        handler.finish();
        return Array.from({ length: PARTITIONS }, (_, i) => i).every(
          (i) => books.row(topic, i)?.low === BigInt(produced),
        );
      },
      { what: 'the end of the books', deadlineMs: 30_000 },
    );

    expect(stay.snapshot().counters.assignments).toBeGreaterThanOrEqual(10);
    // Partitions that stayed all the time: never twice; nothing is missing in any.
    const seen = [handler, ...guests].flatMap((each) => each.slices);
    const offsets = (partition: number) =>
      seen
        .filter((slice) => slice.partition === partition)
        .flatMap(({ records }) => records.map(({ offset }) => Number(offset)));
    const visited = new Set(guests.flatMap(({ slices }) => slices.map((slice) => slice.partition)));
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const all = offsets(partition);
      expect(new Set(all).size).toBe(produced);
      const most = visited.has(partition) ? Infinity : produced;
      expect(all.length).toBeLessThanOrEqual(most);
    }
  });

  it('finishes, keeps and commits what is in flight before it rejoins', async () => {
    const handler = new CollectingHandler();
    handler.credits = 40;
    handler.endsAtOnce = () => false;
    const first = join(handler);
    await untilOwned(first, PARTITIONS);
    await kafka.fill(topic, PARTITIONS, 30);
    await until(() => handler.values().length === 40, { what: 'the credits to be spent' });
    const other = new CollectingHandler();
    const ticking = setInterval(() => handler.finish(), 50);
    const second = join(other);
    await untilOwned(second, 2);
    await until(() => new Set([...handler.values(), ...other.values()]).size === 120, {
      what: 'every record',
    });
    clearInterval(ticking);
    // The drain ended everything before the partitions moved: nothing was delivered twice.
    expect(handler.values().length + other.values().length).toBe(120);
  });
});
