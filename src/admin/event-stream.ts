/**
 * The events of this replica for whoever listens (server-sent events): one snapshot a second, with what is new of the
 * destinations since the last one; triggers, levels, pauses and what happens to dead letters as they come.
 *
 * ES1 a snapshot is made once a second for all listeners together, and not at all while nobody listens.
 * ES2 at most `MAX_LISTENERS` listen; one more is refused.
 * ES3 who reads too slowly is cut off at `MOST_UNREAD_BYTES`: nothing waits without a bound.
 * ES4 a stop ends every stream at its begin, so that no listener holds it.
 */
import { Readable } from 'node:stream';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Clock, Timer } from '#libs/flow-control';
import { DeadLetterStore } from '../dead-letters/dead-letter-store.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { DestinationLog } from './destination-news.js';
import { StatusReader } from './status-reader.js';

export const MAX_LISTENERS = 32;
/** About a minute of snapshots. */
const MOST_UNREAD_BYTES = 256 * 1024;
const SNAPSHOT_EVERY_MS = 1000;

type EventName =
  | 'snapshot'
  | 'destination'
  | 'trigger'
  | 'trigger-cleared'
  | 'level'
  | 'pauses'
  | 'dead-letters'
  | 'lifecycle';

const LETTER_CHANGES = ['added', 'redrive', 'redriven', 'returned', 'discarded'] as const;

@Injectable()
export class EventStream implements OnModuleDestroy {
  private readonly listeners = new Set<Readable>();
  private readonly clock: Clock;
  private readonly destinations: DestinationLog;
  private timer: Timer | undefined;
  private state: 'open' | 'ended' = 'open';

  constructor(
    runtime: StageRuntime,
    private readonly status: StatusReader,
    letters: DeadLetterStore,
  ) {
    this.clock = runtime.clock;
    this.destinations = new DestinationLog(() => runtime.destinations.all());
    const { events } = runtime.controller;
    events.on('trigger', (change) => this.send('trigger', change));
    events.on('triggerCleared', (change) => this.send('trigger-cleared', change));
    events.on('level', (change) => this.send('level', change));
    for (const change of LETTER_CHANGES) {
      letters.events.on(change, (count) => this.send('dead-letters', { change, letters: count }));
    }
    runtime.pauses.onChange(() => this.send('pauses', { paused: runtime.pauses.all() }));
  }

  /** How many listen. */
  get size(): number {
    return this.listeners.size;
  }

  /** A stream that begins with a snapshot; destroy it to leave. Undefined when as many listen as may, or after the stop. */
  open(): Readable | undefined {
    if (this.listeners.size >= MAX_LISTENERS || this.state === 'ended') return undefined;
    const stream = new Readable({ read: () => undefined });
    // Who is cut off or leaves is no failure.
    stream.on('error', () => undefined);
    stream.once('close', () => this.leave(stream));
    this.listeners.add(stream);
    stream.push(textOf('snapshot', this.status.read()));
    if (this.timer === undefined) {
      this.destinations.begin();
      this.schedule();
    }
    return stream;
  }

  onModuleDestroy(): void {
    this.send('lifecycle', { state: 'stopping' });
    this.state = 'ended';
    this.timer?.cancel();
    for (const stream of this.listeners) stream.push(null);
    this.listeners.clear();
  }

  private schedule(): void {
    this.timer = this.clock.setTimer(SNAPSHOT_EVERY_MS, () => {
      this.send('snapshot', this.status.read());
      for (const news of this.destinations.look()) this.send('destination', news);
      this.schedule();
    });
  }

  private send(event: EventName, data: object): void {
    if (this.listeners.size === 0) return;
    const text = textOf(event, data);
    for (const stream of this.listeners) {
      if (stream.readableLength > MOST_UNREAD_BYTES) stream.destroy();
      else stream.push(text);
    }
  }

  private leave(stream: Readable): void {
    this.listeners.delete(stream);
    if (this.listeners.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
  }
}

function textOf(event: EventName, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
