import type { Clock, Timer } from '#libs/flow-control';
import type { AssignedPartition } from './assigned-partition.js';
import type { OffsetWatermark } from './offset-watermark.js';
import type { Pausable, PauseSet } from './pause-set.js';

const STALL = 'stall';
/** Resuming costs up to a fetch's wait, so it must be worth it: hysteresis against a pool that hovers at its limit. */
const RESUME_AT_RATIO = 0.2;

export interface StallWatchOptions {
  readonly clock: Clock;
  readonly pauses: PauseSet;
  readonly pauseAfterMs: number;
  readonly creditWaitSliceMs: number;
  readonly assigned: () => Iterable<AssignedPartition>;
  readonly client: () => Pausable | undefined;
  /** Share of the credits' limit that could be granted now. */
  readonly headroom: () => number;
}

export interface Waiting {
  readonly partition: AssignedPartition;
  readonly mark: OffsetWatermark;
  readonly waitingSinceMs: number | undefined;
}

/** Pauses a partition that waits for long, since its handler holds up the fetches of the whole broker; and resumes it. */
export class StallWatch {
  private timer: Timer | undefined;

  constructor(private readonly options: StallWatchOptions) {}

  /** Pauses the partition when it has waited long, or is full and stuck while others could go on. True when it did. */
  isStalled({ partition, mark, waitingSinceMs }: Waiting): boolean {
    if (waitingSinceMs === undefined) return false;
    const { clock, pauses, pauseAfterMs, creditWaitSliceMs, client } = this.options;
    const waitedMs = clock.now() - waitingSinceMs;
    // A full slice without one completion: stuck, not merely full.
    const isStuck = mark.room === 0 && waitedMs >= creditWaitSliceMs && this.othersFlow(partition);
    if (waitedMs < pauseAfterMs && !isStuck) return false;
    pauses.pause(client(), partition, STALL);
    this.look();
    return true;
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private othersFlow(stuck: AssignedPartition): boolean {
    for (const other of this.options.assigned()) {
      if (other === stuck || this.options.pauses.isPaused(other.lane)) continue;
      if (other.mark && other.mark.room > 0) return true;
    }
    return false;
  }

  private look(): void {
    this.timer ??= this.options.clock.setTimer(this.options.creditWaitSliceMs, () => {
      this.timer = undefined;
      if (this.resumeThoseWithRoom()) this.look();
    });
  }

  /** True while some are still stalled. */
  private resumeThoseWithRoom(): boolean {
    const { pauses, assigned, client, headroom } = this.options;
    const stalled = [...assigned()].filter(({ lane }) => pauses.has(STALL, lane));
    if (headroom() < RESUME_AT_RATIO) return stalled.length > 0;
    let left = 0;
    for (const partition of stalled) {
      const { mark } = partition;
      if (mark && mark.room < RESUME_AT_RATIO * mark.maxRecords) left += 1;
      else pauses.resume(client(), partition, STALL);
    }
    return left > 0;
  }
}
