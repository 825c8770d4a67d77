import { FakeClock } from '../../test/support/fake-clock.js';
import {
  type KafkaBooks,
  type KafkaSource,
  KafkaSourceEvents,
  type SourceHandler,
} from '#libs/kafka';
import { KAFKA_INGEST, KafkaIngestStrategy } from './kafka-ingest.strategy.js';

function setUp() {
  const calls: unknown[] = [];
  const events = new KafkaSourceEvents();
  const source = {
    events,
    start: (...given: unknown[]) => calls.push(['start', ...given]),
    drain: (ms: number) => Promise.resolve(void calls.push(['drain', ms])),
    stop: () => Promise.resolve(void calls.push('stop')),
  } as unknown as KafkaSource;
  const clock = new FakeClock();
  const intake = 'intake' as unknown as SourceHandler;
  const books = 'books' as unknown as KafkaBooks;
  return {
    calls,
    clock,
    events,
    source,
    strategy: new KafkaIngestStrategy(source, { intake, books, clock }),
  };
}

describe('KafkaIngestStrategy', () => {
  it('has a transport id of its own, and shows the source', () => {
    const { strategy, source } = setUp();
    expect(strategy.transportId).toBe(KAFKA_INGEST);
    expect(strategy.unwrap()).toBe(source);
  });

  it.each([
    ['Nest listens first', ['listen', 'start']],
    ['the pipeline runs first', ['start', 'listen']],
  ] as const)('starts the source once, when both have happened: %s', (_, order) => {
    const { calls, strategy } = setUp();
    let listened = 0;
    for (const step of order) {
      expect(calls).toEqual([]);
      if (step === 'listen') strategy.listen(() => (listened += 1));
      else strategy.start();
    }
    expect(calls).toEqual([['start', 'intake', 'books']]);
    expect(listened).toBe(1);
  });

  it('drains until a moment, and stops by whichever of stop and close', async () => {
    const { calls, clock, strategy } = setUp();
    await strategy.drain(clock.now() + 700);
    await strategy.drain(clock.now() - 1);
    await strategy.stop();
    await strategy.close();
    expect(calls).toEqual([['drain', 700], ['drain', 0], 'stop', 'stop']);
  });

  it('passes the events of the source on, and its state as its status', () => {
    const { events, strategy } = setUp();
    const seen: unknown[] = [];
    const status: string[] = [];
    strategy.status.subscribe((each) => status.push(each));
    strategy.on('state', ({ to }) => seen.push(to));
    events.emit('state', { from: 'stopped', to: 'connecting', detail: undefined });
    expect(seen).toEqual(['connecting']);
    expect(status).toEqual(['connecting']);
  });
});
