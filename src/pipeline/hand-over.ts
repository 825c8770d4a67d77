import type { BackPressureController, StageMeter } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import type { PipelineRecord } from './record.js';
import type { Stage, StageId } from './stage.js';

interface Waiting {
  readonly record: PipelineRecord;
  readonly lot: Lot;
}

/** Records that must go before those in the queue: what an earlier run left in the journal. */
export interface Backlog {
  /** Sizes in bytes of the records still to come, in order. Empty: nothing left. */
  sizes(): readonly number[];
  /** Loads the next records, at most `count`; the ones that ended meanwhile are left out. */
  next(count: number): Promise<readonly PipelineRecord[]>;
}

/**
 * The way from a stage of the downstream half to the next one: a FIFO of accepted records and one pump that moves them
 * as the next stage grants credits.
 *
 * H1 order: records leave in the order of `push`, a backlog before all of them.
 * H2 a record's own credit goes back after the next stage has taken it, never before.
 * H3 no closure, promise or timer per record: one waiting request for credits at a time.
 * Bounded by the credits of the stage: every record in here holds one.
 */
export class HandOver {
  private queue: Waiting[] = [];
  private head = 0;
  private isPumping = false;
  private backlog: Backlog | undefined;
  private readonly stopping = new AbortController();

  constructor(
    private readonly from: StageId,
    private readonly next: Stage,
    private readonly controller: BackPressureController,
    private readonly meter: StageMeter,
    /** Told how many records have just left the stage. */
    private readonly onLeft: (count: number) => void = () => undefined,
  ) {}

  /** Records that wait here, without the backlog. */
  get waiting(): number {
    return this.queue.length - this.head;
  }

  /** Takes records over with their credits: `lot` holds at least one for each of them. */
  push(records: readonly PipelineRecord[], lot: Lot): void {
    for (const record of records) this.queue.push({ record, lot });
    this.pump();
  }

  /** Puts records before everything that waits. Call before the first `push`. */
  resume(backlog: Backlog): void {
    this.backlog = backlog;
    this.pump();
  }

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
    try {
      if (this.backlog !== undefined) await this.runBacklog();
      while (this.waiting > 0 && !this.stopping.signal.aborted) {
        const sizes = this.nextSizes();
        const granted =
          this.controller.requestCredits(this.next.id, sizes.length, sizes) ??
          (await this.waitForCredits(sizes));
        if (granted === undefined) return;
        this.move(granted);
      }
    } finally {
      // No await since the last look at the queue, so no push can have been missed.
      this.isPumping = false;
    }
  }

  private async runBacklog(): Promise<void> {
    for (;;) {
      const sizes = this.backlog?.sizes() ?? [];
      if (sizes.length === 0 || this.stopping.signal.aborted) break;
      const granted = await this.waitForCredits(sizes.slice(0, MAX_REQUEST));
      if (granted === undefined) return;
      const records = (await this.backlog?.next(granted.count)) ?? [];
      const missing = granted.count - records.length;
      const bytes = records.reduce((sum, record) => sum + record.sizeBytes, 0);
      if (missing > 0) granted.release(missing, granted.bytes - bytes);
      if (records.length > 0) void this.next.take({ records, admitByMs: Infinity }, granted);
    }
    this.backlog = undefined;
  }

  private nextSizes(): number[] {
    const count = Math.min(this.waiting, MAX_REQUEST);
    const sizes = new Array<number>(count);
    for (let i = 0; i < count; i += 1) sizes[i] = this.queue[this.head + i]!.record.sizeBytes;
    return sizes;
  }

  private async waitForCredits(sizes: readonly number[]): Promise<Lot | undefined> {
    this.meter.blocked(true);
    try {
      const { signal } = this.stopping;
      return await this.controller.acquireCredits(this.next.id, sizes.length, { sizes, signal });
    } catch (error) {
      // Only a stop ends this wait; the records stay in the journal, for the next start.
      if (this.stopping.signal.aborted) return undefined;
      throw error;
    } finally {
      this.meter.blocked(false);
    }
  }

  private move(granted: Lot): void {
    const end = this.head + granted.count;
    const moved = this.queue.slice(this.head, end);
    this.head = end;
    this.compact();
    const records = moved.map((waiting) => waiting.record);
    void this.next.take({ records, admitByMs: Infinity }, granted);
    for (const { record, lot } of moved) lot.release(1, record.sizeBytes);
    this.onLeft(records.length);
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

/** Records a request for credits covers; a grant is a prefix of it anyway. */
const MAX_REQUEST = 1000;
