import type { Clock } from '#libs/flow-control';

export interface TimeSharesReading {
  /** Records inside, and none of them waits for credits of the next stage. */
  readonly busyRatio: number;
  /** Waiting for credits of the next stage. */
  readonly blockedRatio: number;
  readonly idleRatio: number;
}

type Share = 'busy' | 'blocked' | 'idle';

const BUCKET_MS = 1000;

/**
 * How a stage spent the last full second of the clock: busy + blocked + idle = 1. One second and no longer, so that a
 * stall of a second is visible. Costs a look at the clock per change of state, nothing per record.
 */
export class TimeShares {
  private hasWork = false;
  private blocks = 0;
  private share: Share = 'idle';
  private sinceMs: number;
  private bucket: number;
  private current: Record<Share, number> = { busy: 0, blocked: 0, idle: 0 };
  private last: Record<Share, number> = { busy: 0, blocked: 0, idle: BUCKET_MS };

  constructor(private readonly clock: Clock) {
    this.sinceMs = clock.now();
    this.bucket = Math.floor(this.sinceMs / BUCKET_MS);
    this.current.idle = this.sinceMs - this.bucket * BUCKET_MS;
  }

  /** The first record came in. Idempotent. */
  begin(): void {
    if (this.hasWork) return;
    this.hasWork = true;
    this.change();
  }

  /** The last record left. Idempotent. */
  end(): void {
    if (!this.hasWork) return;
    this.hasWork = false;
    this.change();
  }

  /** Somebody of the stage starts (true) or ends (false) a wait for credits. Calls come in pairs. */
  blocked(isBlocked: boolean): void {
    this.blocks = Math.max(0, this.blocks + (isBlocked ? 1 : -1));
    this.change();
  }

  read(): TimeSharesReading {
    this.account();
    const { busy, blocked, idle } = this.last;
    return {
      busyRatio: busy / BUCKET_MS,
      blockedRatio: blocked / BUCKET_MS,
      idleRatio: idle / BUCKET_MS,
    };
  }

  private change(): void {
    this.account();
    this.share = this.blocks > 0 ? 'blocked' : this.hasWork ? 'busy' : 'idle';
  }

  private account(): void {
    const nowMs = this.clock.now();
    const bucket = Math.floor(nowMs / BUCKET_MS);
    if (bucket !== this.bucket) this.closeBucket(bucket);
    this.current[this.share] += nowMs - this.sinceMs;
    this.sinceMs = nowMs;
  }

  private closeBucket(bucket: number): void {
    const isNext = bucket === this.bucket + 1;
    this.current[this.share] += (this.bucket + 1) * BUCKET_MS - this.sinceMs;
    const whole = { busy: 0, blocked: 0, idle: 0, [this.share]: BUCKET_MS };
    this.last = isNext ? this.current : whole;
    this.current = { busy: 0, blocked: 0, idle: 0 };
    this.bucket = bucket;
    this.sinceMs = bucket * BUCKET_MS;
  }
}
