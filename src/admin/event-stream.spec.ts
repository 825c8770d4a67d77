import { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import type { BackPressureEvents } from '#libs/back-pressure';
import { FakeClock } from '../../test/support/fake-clock.js';
import { DeadLetterEvents } from '../dead-letters/dead-letter.events.js';
import type { DeadLetterStore } from '../dead-letters/dead-letter-store.js';
import { destinationStatus } from '../../test/support/destination-status.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { EventStream, MAX_LISTENERS } from './event-stream.js';
import type { StatusReader } from './status-reader.js';

function setUp(snapshot: object = { state: 'running' }) {
  const clock = new FakeClock();
  const events: BackPressureEvents = new EventEmitter();
  const runtime = new StageRuntime({ events } as never, clock, Math.random);
  let reads = 0;
  const status = {
    read: () => {
      reads += 1;
      return snapshot;
    },
  } as unknown as StatusReader;
  const letters = { events: new DeadLetterEvents() };
  const stream = new EventStream(runtime, status, letters as DeadLetterStore);
  return { clock, events, runtime, letters, stream, reads: () => reads };
}

/** What has arrived so far; unread when nobody calls this. */
function textOf(listener: Readable): string {
  return String(listener.read() ?? '');
}

function opened(stream: EventStream): Readable {
  const listener = stream.open();
  if (listener === undefined) throw new Error('The stream did not open.');
  return listener;
}

const closed = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('EventStream', () => {
  it('begins with a snapshot and makes one a second for all listeners together (ES1)', () => {
    const { clock, stream, reads } = setUp();
    const [a, b] = [opened(stream), opened(stream)];
    expect(textOf(a)).toBe('event: snapshot\ndata: {"state":"running"}\n\n');
    expect(reads()).toBe(2);
    clock.advance(3000);
    expect(reads()).toBe(5);
    expect(textOf(a).match(/event: snapshot/g)).toHaveLength(3);
    expect(textOf(b).match(/event: snapshot/g)).toHaveLength(4);
  });

  it('keeps no timer and makes nothing while nobody listens (ES1)', async () => {
    const { clock, events, stream, reads } = setUp();
    expect(clock.pendingTimers).toBe(0);
    const listener = opened(stream);
    listener.destroy();
    await closed();
    expect(clock.pendingTimers).toBe(0);
    events.emit('level', { of: 'pipeline', from: 'healthy', to: 'high', pressure: 0.7 });
    clock.advance(5000);
    expect(reads()).toBe(1);
    opened(stream);
    expect(clock.pendingTimers).toBe(1);
  });

  it('tells triggers, levels and pauses as they come', () => {
    const { events, runtime, stream } = setUp();
    const listener = opened(stream);
    textOf(listener);
    const change = { stage: 'KeyGen', signal: 'queue', value: 0.9, threshold: 0.8 };
    events.emit('trigger', change);
    events.emit('triggerCleared', change);
    events.emit('level', { of: 'KeyGen', from: 'healthy', to: 'high', pressure: 0.7 });
    runtime.pauses.set(['pipeline']);
    const names = [...textOf(listener).matchAll(/^event: (.*)$/gm)].map((match) => match[1]);
    expect(names).toEqual(['trigger', 'trigger-cleared', 'level', 'pauses']);
  });

  it('tells what happens to dead letters as it comes', () => {
    const { letters, stream } = setUp();
    const listener = opened(stream);
    textOf(listener);
    letters.events.emit('added', 2);
    letters.events.emit('redriven', 1);
    expect(textOf(listener)).toBe(
      'event: dead-letters\ndata: {"change":"added","letters":2}\n\n' +
        'event: dead-letters\ndata: {"change":"redriven","letters":1}\n\n',
    );
  });

  it('tells once a second what is new of a destination, and nothing of one without news', () => {
    const { clock, runtime, stream } = setUp();
    let now = destinationStatus({ state: 'ready', breaker: 'closed', retried: 3 });
    runtime.destinations.add(() => now);
    const listener = opened(stream);
    const newsIn = (): object[] =>
      [...textOf(listener).matchAll(/^event: destination\ndata: (.*)$/gm)].map(
        ([, data]) => JSON.parse(data!) as object,
      );
    clock.advance(1000);
    expect(newsIn()).toEqual([]);
    now = destinationStatus({ state: 'ready', breaker: 'closed', retried: 5 });
    clock.advance(1000);
    expect(newsIn()).toEqual([
      {
        name: 'callback',
        kind: 'sink',
        state: 'ready',
        breaker: 'closed',
        failedAttempts: { retried: 2 },
      },
    ]);
    now = destinationStatus({ state: 'away', breaker: 'open', retried: 5 });
    clock.advance(2000);
    expect(newsIn()).toMatchObject([{ state: 'away', breaker: 'open', failedAttempts: {} }]);
  });

  it('refuses one listener too many, and takes one when another has left (ES2)', async () => {
    const { stream } = setUp();
    const listeners = Array.from({ length: MAX_LISTENERS }, () => opened(stream));
    expect(stream.open()).toBeUndefined();
    listeners[0]?.destroy();
    await closed();
    expect(stream.open()).toBeDefined();
  });

  it('cuts off who does not read, and only that one (ES3)', async () => {
    const { clock, stream } = setUp({ filler: 'x'.repeat(10_000) });
    const [slow, fast] = [opened(stream), opened(stream)];
    for (let second = 0; second < 40; second += 1) {
      clock.advance(1000);
      textOf(fast);
    }
    await closed();
    expect([slow.destroyed, fast.destroyed]).toEqual([true, false]);
    expect(slow.readableLength).toBeLessThan(300_000);
    expect(stream.size).toBe(1);
  });

  it('ends every stream at a stop and opens none afterwards (ES4)', async () => {
    const { clock, stream } = setUp();
    const listener = opened(stream);
    const ended = new Promise((resolve) => listener.once('end', resolve));
    stream.onModuleDestroy();
    expect(textOf(listener)).toContain('event: lifecycle\ndata: {"state":"stopping"}');
    listener.resume();
    await ended;
    expect(stream.open()).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });
});
