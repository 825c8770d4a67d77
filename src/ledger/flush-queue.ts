import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { asError } from './sql-state.js';

/** Calls that wait for one flush; a batch holds calls of one kind. */
export interface FlushCall<Item, Kind> {
  readonly kind: Kind;
  readonly items: readonly Item[];
}

export interface FlushQueueOptions<Item, Kind, Answer> {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly bytesOf: (item: Item) => number;
  /** Writes a batch; one answer per call, in order. A rejection rejects every call of the batch. */
  readonly flush: (calls: readonly FlushCall<Item, Kind>[]) => Promise<readonly (Answer | Error)[]>;
}

interface Waiting<Item, Kind, Answer> extends FlushCall<Item, Kind> {
  readonly bytes: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Group commit: gathers calls while a flush is under way, then writes them together.
 *
 * Q1 one flush in flight; the next one starts when it ends, without a linger: it takes what this turn of the event loop
 *    brings, for the requests that have arrived are read one after the other.
 * Q2 batches hold calls in their order, and calls are answered in their order.
 * Q3 a call is never split: it is written as a whole. One that is larger than the bounds travels alone.
 * Q4 while held, nothing new is flushed; calls wait.
 * Bounded by its callers: every waiting record holds a credit.
 */
export class FlushQueue<Item, Kind, Answer> {
  private queue: Waiting<Item, Kind, Answer>[] = [];
  private isFlushing = false;
  private isHeld = false;
  private pending = 0;
  private pendingSize = 0;

  constructor(private readonly options: FlushQueueOptions<Item, Kind, Answer>) {}

  /** Items of calls that are not answered yet, those in the flush under way included. */
  get waiting(): number {
    return this.pending;
  }

  get waitingBytes(): number {
    return this.pendingSize;
  }

  get isIdle(): boolean {
    return !this.isFlushing && this.queue.length === 0;
  }

  push(kind: Kind, items: readonly Item[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let bytes = 0;
      for (const item of items) bytes += this.options.bytesOf(item);
      this.queue.push({ kind, items, bytes, resolve, reject });
      this.pending += items.length;
      this.pendingSize += bytes;
      this.pump();
    });
  }

  hold(): void {
    this.isHeld = true;
  }

  /** Idempotent. */
  go(): void {
    this.isHeld = false;
    this.pump();
  }

  /** Rejects the calls that wait; the batch in flight is answered by its flush. */
  rejectWaiting(error: Error): void {
    const rejected = this.queue;
    this.queue = [];
    for (const call of rejected) this.answer(call, error);
  }

  private pump(): void {
    if (this.isFlushing || this.isHeld || this.queue.length === 0) return;
    this.isFlushing = true;
    void this.run();
  }

  private async run(): Promise<void> {
    while (!this.isHeld && this.queue.length > 0) {
      await turnOfTheLoop();
      if (this.isHeld || this.queue.length === 0) break;
      const batch = this.nextBatch();
      try {
        const answers = await this.options.flush(batch);
        for (const [index, call] of batch.entries()) this.answer(call, answers[index]);
      } catch (error) {
        for (const call of batch) this.answer(call, asError(error));
      }
    }
    // No await since the last look at the queue, so no push can have been missed.
    this.isFlushing = false;
  }

  private nextBatch(): Waiting<Item, Kind, Answer>[] {
    const { maxRecords, maxBytes } = this.options;
    const { kind } = this.queue[0]!;
    let records = 0;
    let bytes = 0;
    let end = 0;
    for (const call of this.queue) {
      const fits = records + call.items.length <= maxRecords && bytes + call.bytes <= maxBytes;
      if (end > 0 && (!fits || call.kind !== kind)) break;
      records += call.items.length;
      bytes += call.bytes;
      end += 1;
    }
    return this.queue.splice(0, end);
  }

  private answer(call: Waiting<Item, Kind, Answer>, answer: Answer | Error | undefined): void {
    this.pending -= call.items.length;
    this.pendingSize -= call.bytes;
    if (answer instanceof Error) call.reject(answer);
    else call.resolve(answer as Answer);
  }
}
