import { Logger } from '@nestjs/common';
import type { Clock, Timer } from '#libs/flow-control';
import type { RowReader } from './row-reader.js';
import { asError } from './sql-state.js';
import { TRIM_KEYS } from './statements/idempotency.statements.js';

/** Keys a statement deletes: a few ms of work, and of locks on keys that nobody is to find any more. */
const STEP_KEYS = 5_000;
/** Behind a full step: 20,000 keys a second, more than REST brings. */
const BUSY_INTERVAL_MS = 250;
const IDLE_INTERVAL_MS = 60_000;

/** Deletes idempotency keys that have expired, in small steps. Several replicas may do so at once. */
export class KeyTrim {
  private timer: Timer | undefined;
  private running: Promise<void> = Promise.resolve();
  private isStopped = false;
  private readonly logger = new Logger('KeyTrim');

  constructor(
    private readonly database: RowReader,
    private readonly clock: Clock,
  ) {}

  /** Idempotent. */
  start(): void {
    if (this.timer === undefined && !this.isStopped) this.schedule(IDLE_INTERVAL_MS);
  }

  /** Waits for a step under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.running;
  }

  private schedule(delayMs: number): void {
    this.timer = this.clock.setTimer(delayMs, () => {
      this.running = this.step();
    });
  }

  private async step(): Promise<void> {
    let trimmed = 0;
    try {
      const rows = await this.database.query<{ trimmed: number }[]>(TRIM_KEYS, [STEP_KEYS]);
      trimmed = rows[0]?.trimmed ?? 0;
    } catch (error) {
      // Expired keys cost space only, and count as new: the next step tries again.
      this.logger.warn(`Expired idempotency keys could not be deleted: ${asError(error).message}`);
    }
    if (this.isStopped) return;
    this.schedule(trimmed < STEP_KEYS ? IDLE_INTERVAL_MS : BUSY_INTERVAL_MS);
  }
}
