import { FakeClock } from '../../../test/support/fake-clock.js';
import {
  FakeConsumerClient,
  FakePayload,
  type FetchedMessage,
} from '../../../test/support/fake-consumer-client.js';
import { InMemoryKafkaBooks } from '../../../test/support/in-memory-kafka-books.js';
import { CreditConsumer } from './credit-consumer.js';
import type { OrderedCompletion, SourceGrant, SourceHandler, SourceSlice } from './kafka-source.js';
import type { KafkaSourceOptions } from './kafka.options.js';
import { tuningOf } from './profiles.js';

const TOPIC = 'orders';

class Pipeline implements SourceHandler {
  readonly slices: SourceSlice[] = [];
  readonly grants: SourceGrant[] = [];
  credits = Infinity;
  released = 0;
  ratio = 1;

  constructor(private readonly clock: FakeClock) {}

  get offsets(): number[] {
    return this.slices.flatMap(({ records }) => records.map(({ offset }) => Number(offset)));
  }

  request(count: number): SourceGrant | undefined {
    const granted = Math.min(count, this.credits);
    if (granted === 0) return undefined;
    this.credits -= granted;
    return { count: granted, release: () => void (this.released += granted) };
  }

  wait(
    count: number,
    _sizes: ArrayLike<number>,
    _lane: number,
    { timeoutMs }: { timeoutMs: number },
  ): Promise<SourceGrant | undefined> {
    return new Promise((resolve) => {
      this.clock.setTimer(timeoutMs, () => resolve(this.request(count)));
    });
  }

  offer(slice: SourceSlice, grant: SourceGrant): void {
    this.slices.push(slice);
    this.grants.push(grant);
  }

  headroom(): number {
    return this.ratio;
  }

  end(first: number, last = first): void {
    for (const { completion } of this.slices) completion.done(BigInt(first), BigInt(last));
  }
}

function setUp(options: Partial<KafkaSourceOptions> = {}) {
  const clock = new FakeClock();
  const fake = new FakeConsumerClient();
  const clients: FakeConsumerClient[] = [];
  const books = new InMemoryKafkaBooks();
  const pipeline = new Pipeline(clock);
  const lines: string[] = [];
  const line = (message: string): void => void lines.push(message);
  const source = new CreditConsumer(
    {
      connection: { brokers: ['nowhere:1'], clientId: 'test' },
      groupId: 'group',
      topics: [TOPIC],
      tuning: tuningOf('balanced'),
      pipelineRecords: 10_000,
      clock,
      random: () => 0,
      logger: { error: line, warn: line, info: line, debug: line },
      ...options,
    },
    () => {
      clients.push(fake);
      return fake.client;
    },
  );
  /** Lets everything that needs no time happen. */
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i += 1) await clock.advanceAsync(0);
  };
  const start = async (partitions = [0], end = 1000): Promise<void> => {
    if (!fake.ranges.has(TOPIC))
      fake.topic(
        TOPIC,
        partitions.map(() => ({ start: 0, end })),
      );
    source.start(pipeline, books);
    await settle();
    fake.join({ [TOPIC]: partitions });
    await settle();
  };
  const fetch = (
    messages: readonly (number | FetchedMessage)[],
    more: { partition?: number; fetchedOffset?: number; lastOffset?: number } = {},
  ): { payload: FakePayload; handled: Promise<void> } => {
    const list = messages.map((each) => (typeof each === 'number' ? { offset: each } : each));
    const payload = new FakePayload(TOPIC, more.partition ?? 0, list, {
      ...more,
      now: () => clock.now(),
    });
    const handled = fake.runConfig?.eachBatch?.(payload.payload) ?? Promise.resolve();
    return { payload, handled };
  };
  /** Moves time on in steps, as long as a handler needs. */
  const pass = async (ms: number, stepMs = 50): Promise<void> => {
    for (let left = ms; left > 0; left -= stepMs) {
      await clock.advanceAsync(stepMs);
      for (let i = 0; i < 3; i += 1) await clock.advanceAsync(0);
    }
  };
  return { clock, fake, clients, books, pipeline, source, lines, start, fetch, settle, pass };
}

const rebalance = (): Error =>
  Object.assign(new Error('rebalancing'), { type: 'REBALANCE_IN_PROGRESS' });

describe('CreditConsumer', () => {
  it('hands over what it has credits for, resolves that, and takes the rest when there are more', async () => {
    const { pipeline, start, fetch, pass } = setUp();
    await start();
    pipeline.credits = 2;
    const { payload, handled } = fetch([0, 1, 2]);
    await pass(100);
    expect(pipeline.offsets).toEqual([0, 1]);
    expect(payload.resolved).toEqual(['1']);
    pipeline.credits = 5;
    await pass(500);
    await handled;
    expect(payload.resolved).toEqual(['1', '2']);
    expect(pipeline.slices.map(({ partition, incarnation }) => [partition, incarnation])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('beats at least every 3.5 s while it waits for credit (C6)', async () => {
    const { pipeline, start, fetch, pass, source } = setUp({ timing: { pauseAfterMs: 100_000 } });
    await start();
    pipeline.credits = 0;
    const { payload, handled } = fetch([0]);
    await pass(60_000, 500);
    const gaps = payload.heartbeats.map((at, i) => at - (payload.heartbeats[i - 1] ?? 0));
    expect(payload.heartbeats.length).toBeGreaterThan(17);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(3500);
    payload.isRunning = false;
    await pass(500);
    await handled;
    expect(source.snapshot().waitingBytes).toBe(0);
  });

  it('ends a wait within a slice when the consumer stops, and resolves nothing (C7)', async () => {
    const { pipeline, start, fetch, pass } = setUp();
    await start();
    pipeline.credits = 0;
    const { payload, handled } = fetch([0]);
    await pass(200);
    payload.isRunning = false;
    await pass(500);
    await handled;
    expect(payload.resolved).toEqual([]);
  });

  it('pauses a partition that waits for 5 s, and resumes it at a fifth of the limit', async () => {
    const { pipeline, fake, start, fetch, pass, source } = setUp();
    await start();
    pipeline.credits = 0;
    pipeline.ratio = 0.19;
    const { payload, handled } = fetch([0]);
    await pass(5500, 100);
    await handled;
    expect([...fake.paused]).toEqual([`${TOPIC}:0`]);
    expect(source.snapshot().partitions[0]).toMatchObject({ pausedFor: ['stall'] });
    expect(payload.resolved).toEqual([]);
    await pass(2000, 100);
    expect(fake.paused.size).toBe(1);
    pipeline.ratio = 0.2;
    await pass(600, 100);
    expect(fake.paused.size).toBe(0);
  });

  it('neither hands off nor resolves a batch that comes after a pause (C2)', async () => {
    const { source, fake, start, fetch, pipeline } = setUp();
    await start();
    source.pause('operator');
    source.pause('memory', 0);
    const { payload, handled } = fetch([0]);
    await handled;
    expect(pipeline.offsets).toEqual([]);
    expect(payload.resolved).toEqual([]);
    source.resume('operator');
    expect(fake.paused.size).toBe(1);
    source.resume('memory', 0);
    expect(fake.paused.size).toBe(0);
  });

  it('hands off buffers that own their memory (C16)', async () => {
    const { start, fetch, pipeline } = setUp();
    await start();
    const response = Buffer.alloc(840_000, 'x');
    const [key, value, header] = [0, 10, 30].map((from) => response.subarray(from, from + 10));
    await fetch([{ offset: 0, key, value, headers: { a: header ?? '', b: ['c', 'd'] } }]).handled;
    const [record] = pipeline.slices[0]?.records ?? [];
    const buffers = [
      record?.key,
      record?.value,
      ...(record?.headers ?? []).map(([, bytes]) => bytes),
    ];
    expect(buffers.map((bytes) => bytes?.toString())).toEqual([
      'x'.repeat(10),
      'x'.repeat(10),
      'x'.repeat(10),
      'c',
      'd',
    ]);
    for (const bytes of buffers) {
      expect(bytes?.buffer.byteLength).toBeLessThanOrEqual(record?.sizeBytes ?? 0);
    }
    // Key, value, header, and the names and values of b twice.
    expect(record?.sizeBytes).toBe(10 + 10 + 11 + 2 + 2);
  });

  it('keeps null keys and values apart from empty ones', async () => {
    const { start, fetch, pipeline } = setUp();
    await start();
    await fetch([
      { offset: 0, key: null, value: null },
      { offset: 1, key: Buffer.alloc(0), value: Buffer.alloc(0) },
    ]).handled;
    const [tombstone, empty] = pipeline.slices[0]?.records ?? [];
    expect([tombstone?.key, tombstone?.value, tombstone?.headers]).toEqual([null, null, undefined]);
    expect([empty?.key?.length, empty?.value?.length]).toEqual([0, 0]);
  });

  it('takes a header without a value for an empty one', async () => {
    const { start, fetch, pipeline } = setUp();
    await start();
    await fetch([{ offset: 0, headers: { trace: null, twice: ['a', null] } }]).handled;
    const [record] = pipeline.slices[0]?.records ?? [];
    const texts = record?.headers?.map(([name, value]) => [name, value.toString()]);
    expect(texts).toEqual([
      ['trace', ''],
      ['twice', 'a'],
      ['twice', ''],
    ]);
  });

  it('gives the credits back and resolves nothing when the group joined again meanwhile (C13)', async () => {
    const { fake, pipeline, start, fetch, pass } = setUp();
    await start();
    pipeline.credits = 0;
    const { payload, handled } = fetch([0, 1]);
    await pass(100);
    fake.join({ [TOPIC]: [0] });
    pipeline.credits = 2;
    await pass(500);
    await handled;
    expect(pipeline.slices).toEqual([]);
    expect(pipeline.released).toBe(2);
    expect(payload.resolved).toEqual([]);
  });

  it('drops and resolves what it handed off before the join (C14)', async () => {
    const { fake, pipeline, start, fetch, settle, source } = setUp();
    await start();
    await fetch([0, 1, 2]).handled;
    fake.join({ [TOPIC]: [0] });
    await settle();
    const { payload, handled } = fetch([0, 1, 2, 3]);
    await handled;
    expect(pipeline.offsets).toEqual([0, 1, 2, 3]);
    expect(payload.resolved).toEqual(['2', '3']);
    expect(source.snapshot().counters.duplicates).toBe(3);
  });

  it('looks where it is, instead of going on, when the client moved by itself (C13, C15)', async () => {
    const { fake, pipeline, start, fetch, settle } = setUp();
    await start();
    await fetch([0, 1]).handled;
    const { payload, handled } = fetch([7, 8]);
    await handled;
    await settle();
    expect(pipeline.offsets).toEqual([0, 1]);
    expect(payload.resolved).toEqual([]);
    expect(fake.seeks.at(-1)).toBe(`${TOPIC}:0@0`);
  });

  it('tells and counts what retention ate', async () => {
    const { fake, pipeline, source, start, fetch, settle, lines } = setUp();
    await start();
    await fetch([0, 1]).handled;
    fake.topic(TOPIC, [{ start: 50, end: 100 }]);
    const resets: unknown[] = [];
    source.events.on('offsetReset', (reset) => resets.push(reset));
    await fetch([50]).handled;
    await settle();
    expect(fake.seeks.at(-1)).toBe(`${TOPIC}:0@50`);
    expect(resets).toEqual([{ topic: TOPIC, partition: 0, from: 2n, to: 50n }]);
    expect(source.snapshot().counters).toMatchObject({ offsetResets: 1, lostRecords: 48 });
    expect(lines).toContain('Records 2 to 49 of orders:0 were deleted before they were read');
    await fetch([50]).handled;
    expect(pipeline.offsets).toEqual([0, 1, 50]);
  });

  it('commits only what the books hold, every 500 ms, and not again what did not change', async () => {
    const { books, fake, pipeline, start, fetch, pass } = setUp();
    await start([0, 1]);
    await fetch([0, 1, 2]).handled;
    let open: () => void = () => undefined;
    books.gate = new Promise((resolve) => (open = resolve));
    fake.commits.length = 0;
    pipeline.end(0, 1);
    await pass(1000);
    expect(fake.commits).toEqual([]);
    open();
    books.gate = undefined;
    await pass(1500);
    expect(fake.commits).toEqual([[`${TOPIC}:0@2`]]);
    expect(books.mostWritesAtOnce).toBe(1);
    expect(books.written.at(-1)).toMatchObject({ low: 2n, records: 2n });
  });

  it('keeps trying to write the books, and commits afterwards', async () => {
    const { books, fake, pipeline, source, start, fetch, pass } = setUp();
    await start();
    await fetch([0]).handled;
    fake.commits.length = 0;
    books.failure = new Error('away');
    pipeline.end(0);
    await pass(3000);
    expect(source.snapshot().counters.flushFailures).toBeGreaterThanOrEqual(2);
    books.failure = undefined;
    fake.commitFailure = new Error('no coordinator');
    await pass(2000);
    expect(source.snapshot().counters.commitFailures).toBeGreaterThanOrEqual(1);
    fake.commitFailure = undefined;
    await pass(1000);
    expect(fake.commits).toEqual([[`${TOPIC}:0@1`]]);
  });

  it('reads the books again when somebody else took the partition', async () => {
    const { books, fake, pipeline, source, start, fetch, pass } = setUp();
    await start();
    await fetch([0, 1]).handled;
    await books.assign(0, [{ partition: 0, startOffset: 0n }]);
    fake.commits.length = 0;
    pipeline.end(0, 1);
    await pass(600);
    expect(source.snapshot().counters.fenced).toBe(1);
    expect(fake.commits).toEqual([]);
    expect(source.snapshot().partitions[0]).toMatchObject({ low: 0n, inFlight: 0 });
    await fetch([0, 1]).handled;
    expect(pipeline.offsets).toEqual([0, 1, 0, 1]);
  });

  it('begins a new incarnation when the record before low has another timestamp, and none when it is missing', async () => {
    const { books, fake, pipeline, source, start, fetch, pass, settle } = setUp();
    await start();
    await fetch([{ offset: 0, timestamp: 5 }]).handled;
    pipeline.end(0);
    await pass(100);
    fake.join({ [TOPIC]: [0] });
    await settle();
    expect(fake.seeks.at(-1)).toBe(`${TOPIC}:0@0`);
    await fetch([{ offset: 3 }], { fetchedOffset: 0 }).handled;
    expect(source.snapshot().counters.incarnations).toBe(0);
    expect(pipeline.offsets).toEqual([0, 3]);
    pipeline.end(3);
    await pass(100);

    fake.join({ [TOPIC]: [0] });
    await settle();
    expect(fake.seeks.at(-1)).toBe(`${TOPIC}:0@3`);
    const { payload, handled } = fetch([{ offset: 3, timestamp: 99 }]);
    await handled;
    await settle();
    expect(payload.resolved).toEqual([]);
    expect(source.snapshot()).toMatchObject({
      counters: { incarnations: 1 },
      partitions: [{ incarnation: 2, low: 0n }],
    });
    await fetch([{ offset: 0 }]).handled;
    expect(pipeline.slices.at(-1)?.incarnation).toBe(2);
    expect(books.row(TOPIC, 0, 1)?.low).toBe(4n);
  });

  it('believes a log that ends below low only when it sees it twice, 30 s apart, and is paused meanwhile', async () => {
    const { books, fake, source, start, settle, pass } = setUp();
    const { source: id } = await books.source(TOPIC);
    await books.assign(id, [{ partition: 0, startOffset: 40n }]);
    fake.topic(TOPIC, [{ start: 0, end: 10 }]);
    await start();
    expect([...fake.paused]).toEqual([`${TOPIC}:0`]);
    await pass(29_000, 1000);
    expect(source.snapshot().counters.incarnations).toBe(0);
    fake.topic(TOPIC, [{ start: 0, end: 40 }]);
    await pass(2000, 1000);
    expect(fake.paused.size).toBe(0);
    expect(fake.seeks.at(-1)).toBe(`${TOPIC}:0@40`);

    fake.topic(TOPIC, [{ start: 0, end: 10 }]);
    fake.join({ [TOPIC]: [0] });
    await settle();
    await pass(31_000, 1000);
    expect(source.snapshot().counters.incarnations).toBe(1);
    expect(fake.seeks.at(-1)).toBe(`${TOPIC}:0@0`);
    expect(fake.paused.size).toBe(0);
  });

  it('follows the books, not a committed offset ahead of them, and says so', async () => {
    const { books, fake, start, lines } = setUp();
    const { source: id } = await books.source(TOPIC);
    await books.assign(id, [{ partition: 0, startOffset: 40n }]);
    fake.topic(TOPIC, [{ start: 0, end: 100 }], [60]);
    await start();
    expect(fake.seeks).toEqual([`${TOPIC}:0@40`]);
    expect(lines.join()).toContain('offset 60 of orders:0 is ahead of the books, which say 40');
  });

  it('starts where the group stands when the books know nothing', async () => {
    const { fake, start } = setUp({ start: 'latest' });
    fake.topic(
      TOPIC,
      [
        { start: 0, end: 100 },
        { start: 0, end: 100 },
      ],
      [60],
    );
    await start([0, 1]);
    // Partition 1 was added to a known topic.
    expect(fake.seeks).toEqual([`${TOPIC}:0@60`, `${TOPIC}:1@0`]);
    expect(fake.commits).toEqual([]);
  });

  it.each([
    ['earliest', 5],
    ['latest', 100],
  ] as const)(
    'commits the %s position of every partition of an unknown topic before the first fetch',
    async (begin, offset) => {
      const { fake, start } = setUp({ start: begin });
      fake.topic(TOPIC, [
        { start: 5, end: 100 },
        { start: 5, end: 100 },
      ]);
      await start([0]);
      expect(fake.commits[0]).toEqual([`${TOPIC}:0@${offset}`, `${TOPIC}:1@${offset}`]);
      expect(fake.seeks).toEqual([`${TOPIC}:0@${offset}`]);
    },
  );

  it('drains, keeps and commits before it lets a rebalance out of the handler', async () => {
    const { books, fake, pipeline, start, fetch, pass } = setUp();
    await start();
    pipeline.credits = 2;
    const { payload, handled } = fetch([0, 1, 2]);
    const outcome = handled.catch((error: unknown) => error);
    await pass(100);
    payload.heartbeatFailure = rebalance();
    await pass(500);
    pipeline.credits = 5;
    fake.commits.length = 0;
    pipeline.end(0, 1);
    await pass(200);
    expect(await outcome).toMatchObject({ type: 'REBALANCE_IN_PROGRESS' });
    expect(pipeline.offsets).toEqual([0, 1]);
    expect(books.row(TOPIC, 0)?.low).toBe(2n);
    expect(fake.commits).toEqual([[`${TOPIC}:0@2`]]);
  });

  it('goes on at once when no completion arrives in a drain', async () => {
    const { clock, pipeline, source, start, fetch, pass } = setUp();
    await start();
    await fetch([0, 1]).handled;
    let endedAtMs = 0;
    const from = clock.now();
    void source.drain(20_000).then(() => (endedAtMs = clock.now()));
    await pass(400, 20);
    pipeline.end(0);
    await pass(1000, 20);
    expect(endedAtMs - from).toBeGreaterThanOrEqual(900);
    expect(endedAtMs - from).toBeLessThan(1100);
    expect(source.snapshot().state).toBe('draining');
  });

  it('tries other heartbeat errors again, and lets one out after a session (H2)', async () => {
    const { pipeline, source, start, fetch, pass, fake } = setUp({
      timing: { pauseAfterMs: 100_000 },
    });
    await start();
    pipeline.credits = 0;
    const { payload, handled } = fetch([0]);
    const outcome = handled.catch((error: unknown) => error);
    payload.heartbeatFailure = new Error('connection lost');
    await pass(20_000, 500);
    fake.emit('HEARTBEAT', {});
    await pass(20_000, 500);
    expect(source.snapshot().counters.heartbeatFailures).toBeGreaterThan(50);
    await pass(12_000, 500);
    expect(await outcome).toMatchObject({ message: 'connection lost' });
  });

  it('closes a lost partition: late completions mark nothing', async () => {
    const { books, fake, pipeline, start, fetch, pass, settle } = setUp();
    await start([0, 1]);
    await fetch([0]).handled;
    await fetch([0], { partition: 1 }).handled;
    fake.join({ [TOPIC]: [1] });
    await settle();
    fake.commits.length = 0;
    pipeline.end(0);
    await pass(600);
    expect(books.row(TOPIC, 0)?.low).toBe(0n);
    expect(fake.commits).toEqual([[`${TOPIC}:1@1`]]);
  });

  it('applies its pauses again after every join (C11)', async () => {
    const { fake, source, start, settle } = setUp();
    await start([0, 1]);
    source.pause('operator', 1);
    fake.paused.clear();
    fake.join({ [TOPIC]: [0, 1] });
    await settle();
    expect([...fake.paused]).toEqual([`${TOPIC}:1`]);
  });

  it('passes batches that held markers only, and goes on behind them (C5)', async () => {
    const { books, fake, pipeline, start, fetch, pass } = setUp();
    await start();
    await fetch([0]).handled;
    fake.emit('START_BATCH_PROCESS', { topic: TOPIC, partition: 0, batchSize: 0, lastOffset: '4' });
    await fetch([5], { fetchedOffset: 5, lastOffset: 6 }).handled;
    expect(pipeline.offsets).toEqual([0, 5]);
    pipeline.end(0);
    pipeline.end(5);
    await pass(200);
    expect(books.row(TOPIC, 0)).toMatchObject({ low: 7n, gaps: 5n });
    fake.emit('START_BATCH_PROCESS', { topic: TOPIC, partition: 0, batchSize: 0, lastOffset: '8' });
    await pass(200);
    expect(books.row(TOPIC, 0)).toMatchObject({ low: 9n, gaps: 7n });
  });

  it('beats, and hands off nothing, while the books of a partition cannot be read', async () => {
    const { books, fake, pipeline, start, fetch, pass } = setUp();
    books.failure = new Error('away');
    await start();
    const { payload, handled } = fetch([0]);
    await pass(5000, 100);
    expect(payload.heartbeats.length).toBeGreaterThanOrEqual(9);
    expect(pipeline.offsets).toEqual([]);
    books.failure = undefined;
    await pass(2000, 100);
    await handled;
    expect(fake.seeks).toEqual([`${TOPIC}:0@0`]);
    expect(pipeline.offsets).toEqual([0]);
  });

  it('pauses a partition that is full and stuck as soon as others could go on (C1)', async () => {
    const { fake, pipeline, start, fetch, pass } = setUp({ pipelineRecords: 64 });
    await start([0, 1]);
    const { payload, handled } = fetch(Array.from({ length: 100 }, (_, i) => i));
    await pass(600, 100);
    await handled;
    expect([...fake.paused]).toEqual([`${TOPIC}:0`]);
    expect(payload.resolved).toEqual(['63']);
    await pass(2000, 100);
    expect(fake.paused.size).toBe(1);
    pipeline.end(0, 63);
    await pass(600, 100);
    expect(fake.paused.size).toBe(0);
  });

  it('reads the books again when the handler throws, and lets nothing out (C8, C9)', async () => {
    const { pipeline, source, start, fetch, settle } = setUp();
    await start();
    const offer = jest.spyOn(pipeline, 'offer').mockImplementationOnce(() => {
      throw new TypeError('defect');
    });
    const { payload, handled } = fetch([0, 1]);
    await handled;
    await settle();
    expect(payload.resolved).toEqual([]);
    expect(pipeline.released).toBe(2);
    expect(source.snapshot()).toMatchObject({
      counters: { handlerErrors: 1, crashes: 0 },
      inFlight: 0,
    });
    await fetch([0, 1]).handled;
    expect(offer).toHaveBeenCalledTimes(2);
    expect(pipeline.offsets).toEqual([0, 1]);
  });

  it('asks for the ends of silent partitions every 5 s', async () => {
    const { fake, source, start, pass } = setUp();
    await start([0], 0);
    fake.topic(TOPIC, [{ start: 0, end: 30 }]);
    await pass(5100, 100);
    fake.topic(TOPIC, [{ start: 0, end: 60 }]);
    await pass(5000, 100);
    expect(source.lag()).toEqual([
      {
        topic: TOPIC,
        partition: 0,
        records: 60,
        committedRecords: 60,
        seconds: 5.1,
        isAtLeast: true,
      },
    ]);
  });

  it('keeps to its rate, and a wait for it is no stall', async () => {
    const { fake, pipeline, start, fetch, pass } = setUp({ maxRecordsPerSecond: 100 });
    await start();
    const { handled } = fetch(Array.from({ length: 1000 }, (_, i) => i));
    await pass(5000);
    expect(pipeline.offsets.length).toBeGreaterThanOrEqual(490);
    expect(pipeline.offsets.length).toBeLessThanOrEqual(515);
    expect(fake.paused.size).toBe(0);
    await pass(6000);
    await handled;
    expect(pipeline.offsets).toHaveLength(1000);
  });

  it('starts without a broker and tries after 1, 2, 4 … 30 s', async () => {
    const { fake, clients, source, start, pass, clock } = setUp();
    fake.connectFailure = new Error('nobody there');
    const attempts: number[] = [];
    source.events.on('state', ({ to }) => to === 'waiting' && attempts.push(clock.now()));
    await start();
    await pass(125_000, 500);
    expect(attempts.map((at, i) => at - (attempts[i - 1] ?? 0))).toEqual([
      0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
    expect(source.snapshot()).toMatchObject({ state: 'waiting' });
    fake.connectFailure = undefined;
    await pass(30_000, 500);
    expect(source.snapshot().state).toBe('running');
    expect(clients.length).toBe(attempts.length + 1);
  });

  it('builds a new consumer after a crash, and after a short one only later', async () => {
    const { fake, clients, source, start, pass } = setUp();
    await start();
    fake.emit('CRASH', { error: new TypeError('defect'), restart: false });
    await pass(900, 100);
    expect(clients).toHaveLength(1);
    await pass(200, 100);
    expect(clients).toHaveLength(2);
    expect(source.snapshot()).toMatchObject({ state: 'running', counters: { crashes: 1 } });
  });

  it('is failed, with the list, while topics are not as configured, and looks again', async () => {
    const topicSpecs = [{ name: TOPIC, role: 'input' as const, partitions: 4 }];
    const { fake, source, start, pass } = setUp({ topicSpecs });
    await start([0, 1]);
    expect(source.snapshot()).toMatchObject({
      state: 'failed',
      detail: 'Topics differ from their settings: orders: partitions is 2, expected 4',
    });
    fake.topic(
      TOPIC,
      Array.from({ length: 4 }, () => ({ start: 0, end: 1 })),
    );
    await pass(1100, 100);
    expect(source.snapshot().state).toBe('running');
  });

  it('commits before it stops (C21), and stops once', async () => {
    const { fake, pipeline, source, start, fetch, pass } = setUp();
    await start();
    await fetch([0]).handled;
    fake.commits.length = 0;
    pipeline.end(0);
    const stopped = Promise.all([source.stop(), source.stop()]);
    await pass(1000);
    await stopped;
    expect(fake.commits).toEqual([[`${TOPIC}:0@1`]]);
    expect([fake.isConnected, source.snapshot().state]).toEqual([false, 'stopped']);
  });

  it('runs with autoCommit off and one worker a partition, 64 at most', async () => {
    const { fake, start } = setUp();
    await start(Array.from({ length: 80 }, (_, i) => i));
    expect(fake.runConfig).toMatchObject({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 64,
    });
  });

  it('refuses settings under which a waiting member would be thrown out', () => {
    const tuning = tuningOf('balanced', { sessionTimeoutMs: 10_000, heartbeatIntervalMs: 4000 });
    expect(() => setUp({ tuning })).toThrow(/heartbeatIntervalMs must be at most a third/);
  });

  describe('with transactions', () => {
    /** They say where the group is, and keep what they are told. */
    function transactionsAt(offsets: Readonly<Record<number, bigint>>) {
      const told: string[] = [];
      const transactions = {
        take: (topic: string, partition: number) => {
          told.push(`take ${topic}:${partition}`);
          return Promise.resolve(offsets[partition]);
        },
        release: (topic: string, partition: number) =>
          void told.push(`release ${topic}:${partition}`),
        commitOffsets: (committed: readonly { partition: number; offset: string }[]) => {
          told.push(...committed.map(({ partition, offset }) => `${partition}@${offset}`));
          return Promise.resolve();
        },
      };
      return { told, transactions };
    }

    it('takes a partition, then goes on where the group is, and books what lies between as ended (E5)', async () => {
      const { told, transactions } = transactionsAt({ 0: 5n });
      const { fake, books, start, pass } = setUp({ transactions });
      fake.topic(TOPIC, [{ start: 0, end: 10 }], [5]);
      const { source } = await books.source(TOPIC);
      await books.assign(source, [{ partition: 0, startOffset: 2n }]);
      await start();
      expect(told).toEqual([`take ${TOPIC}:0`]);
      expect(fake.seeks.at(-1)).toBe(`${TOPIC}:0@5`);
      await pass(100);
      const [row] = await books.assign(source, [{ partition: 0, startOffset: 0n }]);
      expect(row).toMatchObject({ low: 5n, gaps: 0n });
    });

    it('commits by them alone (S1)', async () => {
      const { told, transactions } = transactionsAt({ 0: 0n });
      const { fake, pipeline, start, fetch, pass } = setUp({ transactions });
      fake.topic(TOPIC, [{ start: 0, end: 10 }], [0]);
      await start();
      const { handled } = fetch([0, 1, 2]);
      await pass(100);
      await handled;
      pipeline.end(0, 2);
      await pass(1000);
      expect(told).toContain('0@3');
      expect(fake.commits).toEqual([]);
    });

    it('commits the start of a new topic for its own partitions only: others may have gone on', async () => {
      const { transactions } = transactionsAt({});
      const { fake, start } = setUp({ transactions });
      fake.topic(TOPIC, [
        { start: 0, end: 10 },
        { start: 0, end: 10 },
      ]);
      await start([1]);
      expect(fake.commits.flat()).toEqual([`${TOPIC}:1@0`]);
    });

    it('lets go of a partition that is lost', async () => {
      const { told, transactions } = transactionsAt({ 0: 0n, 1: 0n });
      const { fake, start, settle } = setUp({ transactions });
      await start([0, 1]);
      fake.join({ [TOPIC]: [1] });
      await settle();
      expect(told).toContain(`release ${TOPIC}:0`);
    });

    it('tells of each record whether it is still ours, and what may end with it', async () => {
      const { transactions } = transactionsAt({ 0: 0n });
      const { fake, pipeline, start, fetch, pass, settle } = setUp({ transactions });
      await start();
      void fetch([0, 1, 2]);
      await pass(100);
      const completion = pipeline.slices[0]!.completion as OrderedCompletion;
      expect(completion.isOurs).toBe(true);
      expect(completion.cut([1n, 2n], 0n)).toEqual({ count: 0, nextOffset: 0n });
      const moved = jest.fn();
      completion.whenMoved(moved);
      pipeline.end(0);
      expect(moved).toHaveBeenCalledTimes(1);
      expect(completion.cut([1n, 2n], 0n)).toEqual({ count: 2, nextOffset: 3n });
      completion.whenMoved(moved);
      fake.join({});
      await settle();
      expect(moved).toHaveBeenCalledTimes(2);
      expect(completion.isOurs).toBe(false);
    });
  });
});
