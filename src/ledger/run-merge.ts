import { Logger } from '@nestjs/common';
import type { Clock, Timer } from '#libs/flow-control';
import type { KafkaMarks } from './kafka-marks.js';
import type { RowReader } from './row-reader.js';
import { asError } from './sql-state.js';
import { MERGE_RUNS, RUNS_TO_MERGE } from './statements/kafka.statements.js';

/** At 20 flushes a second a partition has 1,200 runs by then: a few ms of work. */
const INTERVAL_MS = 60_000;

export interface RunMergeOptions {
  readonly database: RowReader;
  readonly clock: Clock;
  /** Runs of a partition are merged by the process that appends them. */
  readonly marks: Pick<KafkaMarks, 'all'>;
}

/** bigint columns come as text. */
interface MergeableRow {
  readonly source: number;
  readonly partition: number;
  readonly first: string;
  readonly next: string;
}

/** Makes one row of the runs of an hour, every minute: the books stay small, and times stay useful. */
export class RunMerge {
  private timer: Timer | undefined;
  private running: Promise<void> = Promise.resolve();
  private isStopped = false;
  private readonly logger = new Logger('RunMerge');

  constructor(private readonly options: RunMergeOptions) {}

  /** Idempotent. */
  start(): void {
    if (this.timer === undefined) this.schedule();
  }

  /** Waits for a merge under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.running;
  }

  /** Merges once. Rejects like a statement; what was merged by then stays. */
  async merge(): Promise<void> {
    const { database, marks } = this.options;
    const own = marks.all();
    if (own.length === 0) return;
    const rows = await database.query<MergeableRow[]>(RUNS_TO_MERGE, [
      own.map((mark) => mark.source),
      own.map((mark) => mark.partition),
    ]);
    for (const { source, partition, first, next } of rows) {
      await database.query(MERGE_RUNS, [source, partition, first, next]);
    }
  }

  private schedule(): void {
    this.timer = this.options.clock.setTimer(INTERVAL_MS, () => {
      this.running = this.tick();
    });
  }

  private async tick(): Promise<void> {
    try {
      await this.merge();
    } catch (error) {
      // Unmerged runs cost space only: the next round tries again.
      this.logger.warn(`Runs of Kafka offsets could not be merged: ${asError(error).message}`);
    }
    if (!this.isStopped) this.schedule();
  }
}
