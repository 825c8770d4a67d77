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
 * Q1 one flush in flight; the next one starts when it ends, without a linger.
 * Q2 batches hold calls in their order, and calls are answered in their order.
 * Q3 a call is never split: it is written as a whole. One that is larger than the bounds travels alone.
 * Q4 while held, nothing new is flushed; calls wait.
 * Bounded by its callers: every waiting record holds a credit.
 */
export class FlushQueue<Item, Kind, Answer> {
  private queue: Waiting<Item, Kind, Answer>[] = [];
  private isFlushing = false;
  private isHeld = false;
  private waitingRecords = 0;
  private waitingSize = 0;

  constructor(private readonly options: FlushQueueOptions<Item, Kind, Answer>) {}

  /** Items of calls that are not in a flush yet. */
  get waiting(): number {
    return this.waitingRecords;
  }

  get waitingBytes(): number {
    return this.waitingSize;
  }

  get isIdle(): boolean {
    return !this.isFlushing && this.queue.length === 0;
  }

  push(kind: Kind, items: readonly Item[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let bytes = 0;
      for (const item of items) bytes += this.options.bytesOf(item);
      this.queue.push({ kind, items, bytes, resolve, reject });
      this.waitingRecords += items.length;
      this.waitingSize += bytes;
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
    this.waitingRecords = 0;
    this.waitingSize = 0;
    for (const call of rejected) call.reject(error);
  }

  private pump(): void {
    if (this.isFlushing || this.isHeld || this.queue.length === 0) return;
    this.isFlushing = true;
    void this.run();
  }

  private async run(): Promise<void> {
    while (!this.isHeld && this.queue.length > 0) {
      const batch = this.nextBatch();
      try {
        const answers = await this.options.flush(batch);
        for (const [index, call] of batch.entries()) settle(call, answers[index]);
      } catch (error) {
        const reason = error instanceof Error ? error : new Error(String(error));
        for (const call of batch) call.reject(reason);
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
    this.waitingRecords -= records;
    this.waitingSize -= bytes;
    return this.queue.splice(0, end);
  }
}

function settle<Item, Kind, Answer>(
  call: Waiting<Item, Kind, Answer>,
  answer: Answer | Error | undefined,
): void {
  if (answer instanceof Error) call.reject(answer);
  else call.resolve(answer as Answer);
}
