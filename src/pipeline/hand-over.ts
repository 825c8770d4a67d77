import type { BackPressureController, StageMeter } from '#libs/back-pressure';
import type { Clock, Lot } from '#libs/flow-control';
import { type Carried, giveBack } from './give-back.js';
import type { PipelineRecord } from './record.js';
import type { Stage } from './stage.js';

/** Records in the journal that are not in memory, such as those an earlier run left. */
export interface Backlog {
  /** Sizes in bytes of the next records to come, in order. Empty: nothing left. */
  sizes(): readonly number[];
  /** Loads the next records, at most `count`; the ones that ended meanwhile are left out. */
  next(count: number): Promise<readonly PipelineRecord[]>;
}

export interface HandOverOptions {
  readonly next: Stage;
  readonly controller: BackPressureController;
  /** Of the stage that hands over: its records count as completed when they leave. */
  readonly meter: StageMeter;
  readonly clock: Clock;
  /** Told how many records have just left the stage. */
  readonly onLeft?: (count: number) => void;
}

/** Records a request for credits covers; a grant is a prefix of it anyway. */
const MAX_REQUEST = 1000;

/**
 * The way from a stage of the downstream half to the next one: a FIFO of accepted records and one pump that moves them
 * as the next stage grants credits.
 *
 * H1 order: records leave in the order of `push`; a backlog has the place at which it was queued.
 * H2 a record's own credit goes back after the next stage has taken it, never before.
 * H3 no closure, promise or timer per record: one waiting request for credits at a time.
 * H4 what is pushed before the microtasks of now have run goes on together: the records of one flush come one by one,
 *    and each slice costs a grant, a lot and its return.
 * Bounded by the credits of the stage: every record in here holds one.
 */
export class HandOver {
  private queue: (Carried | Backlog)[] = [];
  private head = 0;
  private backlogs = 0;
  private isPumping = false;
  private readonly stopping = new AbortController();

  constructor(private readonly options: HandOverOptions) {}

  /** Records that wait here, without those of a backlog. */
  get waiting(): number {
    return this.queue.length - this.head - this.backlogs;
  }

  /** Takes records over with their credits: `lot` holds at least one for each of them. */
  push(records: readonly PipelineRecord[], lot: Lot): void {
    for (const record of records) this.queue.push({ record, lot });
    this.pump();
  }

  /** Puts a backlog behind what waits and before everything that comes later. */
  queueBacklog(backlog: Backlog): void {
    this.queue.push(backlog);
    this.backlogs += 1;
    this.pump();
  }

  /** Nothing moves any more; what waits stays in the journal. */
  stop(): void {
    this.stopping.abort();
  }

  private pump(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    // A rejection here is a defect of the next stage (`take` never throws); it must not be swallowed.
    void this.run();
  }

  private async run(): Promise<void> {
    const { controller, next } = this.options;
    await Promise.resolve();
    try {
      while (this.head < this.queue.length && !this.stopping.signal.aborted) {
        const first = this.queue[this.head]!;
        if (!('record' in first)) {
          if (!(await this.moveBacklog(first))) return;
          continue;
        }
        const sizes = this.nextSizes();
        const granted =
          controller.requestCredits(next.id, sizes.length, sizes) ??
          (await this.waitForCredits(sizes));
        if (granted === undefined) return;
        this.move(granted);
      }
    } finally {
      // No await since the last look at the queue, so no push can have been missed.
      this.isPumping = false;
    }
  }

  /** False when a stop has ended it. */
  private async moveBacklog(backlog: Backlog): Promise<boolean> {
    const { next } = this.options;
    for (let sizes = backlog.sizes(); sizes.length > 0; sizes = backlog.sizes()) {
      const granted = await this.waitForCredits(sizes.slice(0, MAX_REQUEST));
      if (granted === undefined) return false;
      const records = await backlog.next(granted.count);
      const missing = granted.count - records.length;
      const bytes = records.reduce((sum, record) => sum + record.sizeBytes, 0);
      if (missing > 0) granted.release(missing, Math.max(0, granted.bytes - bytes));
      if (records.length > 0) void next.take({ records, admitByMs: Infinity }, granted);
    }
    this.head += 1;
    this.backlogs -= 1;
    this.compact();
    return true;
  }

  /** Of the records before the next backlog. */
  private nextSizes(): number[] {
    const sizes: number[] = [];
    const end = Math.min(this.queue.length, this.head + MAX_REQUEST);
    for (let i = this.head; i < end; i += 1) {
      const each = this.queue[i]!;
      if (!('record' in each)) break;
      sizes.push(each.record.sizeBytes);
    }
    return sizes;
  }

  private async waitForCredits(sizes: readonly number[]): Promise<Lot | undefined> {
    const { controller, next } = this.options;
    try {
      const { signal } = this.stopping;
      return await controller.acquireCredits(next.id, sizes.length, { sizes, signal });
    } catch (error) {
      // Only a stop ends this wait; the records stay in the journal, for the next start.
      if (this.stopping.signal.aborted) return undefined;
      throw error;
    }
  }

  private move(granted: Lot): void {
    const end = this.head + granted.count;
    const moved = this.queue.slice(this.head, end) as Carried[];
    this.head = end;
    this.compact();
    const records = moved.map((waiting) => waiting.record);
    void this.options.next.take({ records, admitByMs: Infinity }, granted);
    giveBack(moved, this.options.meter, this.options.clock.now());
    this.options.onLeft?.(records.length);
  }

  private compact(): void {
    if (this.head === this.queue.length) {
      this.queue = [];
      this.head = 0;
    } else if (this.head > MAX_REQUEST) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
  }
}
