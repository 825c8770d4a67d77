import type { Readable } from 'node:stream';
import type { Clock } from '#libs/flow-control';
import { withoutByteOrderMark } from './json-body.js';
import { type Line, LineSplitter, TOO_LONG } from './ndjson.js';
import type { StreamEnd } from '../records.schema.js';
import { RequestError } from '../request-error.js';

/** A sender that is silent for longer is taken to have finished. */
export const STREAM_IDLE_MS = 30_000;
/** A stream ends by then, so that a process that is to stop is not held up by one. */
export const STREAM_AGE_MS = 300_000;

export interface LineStreamOptions {
  readonly maxLineBytes: number;
  readonly maxLines: number;
  readonly maxBytes: number;
  readonly clock: Clock;
  /** Ends the stream as well. */
  readonly draining: AbortSignal;
}

/**
 * The lines of a request body, read only when they are asked for: while nobody asks, the socket fills up and its sender
 * waits. Ends with its sender, or before, at a bound; `ended` says which.
 */
export class LineStream {
  ended: StreamEnd | undefined;
  private readonly splitter: LineSplitter;
  private readonly oldAtMs: number;
  private lines: Line[] = [];
  private isOver = false;
  private bytes = 0;
  private given = 0;

  constructor(
    private readonly source: Readable,
    private readonly options: LineStreamOptions,
  ) {
    this.splitter = new LineSplitter(options.maxLineBytes);
    this.oldAtMs = options.clock.now() + STREAM_AGE_MS;
  }

  /** The next lines, at most `count`, as soon as there is one; none at the end. Rejects when the sender has gone. */
  async next(count: number): Promise<readonly Line[]> {
    while (this.lines.length === 0 && !this.isOver) await this.read();
    const room = this.options.maxLines - this.given;
    if (room === 0 && this.lines.length > 0) {
      this.end('too-many-records', `A stream must have at most ${this.given} records.`);
      this.lines = [];
    }
    const lines = this.lines.splice(0, Math.min(count, room));
    if (this.given === 0 && lines[0] !== undefined && lines[0] !== TOO_LONG) {
      lines[0] = withoutByteOrderMark(lines[0]);
    }
    this.given += lines.length;
    return lines;
  }

  private async read(): Promise<void> {
    const chunk = this.source.read() as Buffer | null;
    if (chunk !== null) this.split(chunk);
    else if (this.source.readableEnded) this.finish();
    else if (this.source.destroyed) throw senderGone();
    else await this.somethingNew();
  }

  private split(chunk: Buffer): void {
    const room = this.options.maxBytes - this.bytes;
    this.bytes += chunk.length;
    this.lines.push(...this.splitter.push(chunk.subarray(0, room)));
    if (chunk.length > room) {
      this.end('too-many-bytes', `A stream must have at most ${this.options.maxBytes} bytes.`);
    }
  }

  private finish(): void {
    this.isOver = true;
    this.lines.push(...this.splitter.end());
  }

  private end(reason: StreamEnd['reason'], detail: string): void {
    this.isOver = true;
    this.ended = { reason, detail };
  }

  /** Waits for bytes, the end or the sender's leaving; ends the stream when that takes too long. */
  private async somethingNew(): Promise<void> {
    const { source } = this;
    const { clock, draining } = this.options;
    if (draining.aborted) {
      this.end('draining', 'The service is draining.');
      return;
    }
    const ageLeftMs = this.oldAtMs - clock.now();
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        timer.cancel();
        for (const event of EVENTS) source.off(event, settle);
        draining.removeEventListener('abort', settle);
        resolve();
      };
      const timer = clock.setTimer(Math.min(STREAM_IDLE_MS, ageLeftMs), () => {
        if (ageLeftMs <= STREAM_IDLE_MS) this.end('too-old', 'The stream was open too long.');
        else this.end('idle', `Nothing came for ${STREAM_IDLE_MS / 1000} s.`);
        settle();
      });
      for (const event of EVENTS) source.on(event, settle);
      draining.addEventListener('abort', settle, { once: true });
    });
  }
}

const EVENTS = ['readable', 'end', 'close', 'error'] as const;

function senderGone(): RequestError {
  return new RequestError('malformed', 'The body ended too early.');
}
