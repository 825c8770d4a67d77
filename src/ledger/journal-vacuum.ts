import { Logger } from '@nestjs/common';
import type { Clock, Timer } from '#libs/flow-control';
import type { RowReader } from './row-reader.js';
import { asError } from './sql-state.js';

/** Autovacuum looks once a minute; by then the journal is rate × 60 s × row size long. */
const BUSY_INTERVAL_MS = 5_000;
/** While an old snapshot pins the dead rows, each run reads them all for nothing. */
const MAX_INTERVAL_MS = 60_000;

const VACUUM = ['journal', 'handover'].map(
  (table) => `VACUUM (TRUNCATE off, SKIP_LOCKED) ${table}`,
);
const DEAD_ROWS = `SELECT coalesce(sum(n_dead_tup), 0)::float8 AS dead FROM pg_stat_user_tables
WHERE schemaname = current_schema() AND relname IN ('journal', 'handover')`;

export interface JournalVacuumOptions {
  readonly database: RowReader;
  readonly clock: Clock;
  /** Records flushed so far: the journal is vacuumed only while this grows. */
  readonly flushedRecords: () => number;
}

/**
 * Keeps the journal small: vacuums it every 5 s while it is used, less often (up to 60 s) while a run leaves more than
 * half of the dead rows behind.
 */
export class JournalVacuum {
  private intervalMs = BUSY_INTERVAL_MS;
  private lastFlushed = 0;
  private timer: Timer | undefined;
  private running: Promise<void> = Promise.resolve();
  private isStopped = false;
  private readonly logger = new Logger('JournalVacuum');

  constructor(private readonly options: JournalVacuumOptions) {}

  /** Idempotent. */
  start(): void {
    if (this.timer === undefined) this.schedule();
  }

  /** Waits for a run under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.running;
  }

  private schedule(): void {
    this.timer = this.options.clock.setTimer(this.intervalMs, () => {
      this.running = this.tick();
    });
  }

  private async tick(): Promise<void> {
    const flushed = this.options.flushedRecords();
    if (flushed !== this.lastFlushed) {
      this.lastFlushed = flushed;
      await this.run();
    }
    if (!this.isStopped) this.schedule();
  }

  private async run(): Promise<void> {
    try {
      const before = await this.deadRows();
      for (const statement of VACUUM) await this.options.database.query(statement);
      const left = await this.deadRows();
      this.intervalMs =
        left > before / 2 ? Math.min(2 * this.intervalMs, MAX_INTERVAL_MS) : BUSY_INTERVAL_MS;
    } catch (error) {
      // Dead rows cost space only, and autovacuum is the net below: the next run tries again.
      this.logger.warn(`The journal could not be vacuumed: ${asError(error).message}`);
    }
  }

  private async deadRows(): Promise<number> {
    const rows = await this.options.database.query<{ dead: number }[]>(DEAD_ROWS);
    return rows[0]?.dead ?? 0;
  }
}
