import { type Clock, sleep } from '#libs/flow-control';

/** What a draining stage is asked. */
export interface Draining {
  readonly clock: Clock;
  /** Monotonic ms after which nothing is waited for. */
  readonly deadlineMs: number;
  /** Records inside. */
  readonly inside: () => number;
  /** How long nothing may leave before the rest counts as stuck. Default 1 s. */
  readonly stuckAfterMs?: number;
  /** While true nothing counts as stuck: a running call ends by its own timeout. */
  readonly isWorking?: () => boolean;
}

const STUCK_AFTER_MS = 1000;

/** A leaving record is noticed this late at most. */
const LOOK_EVERY_MS = 20;

/** Waits until nobody is inside, but only while records leave: what can't move is left to the journal. */
export async function drain({
  clock,
  deadlineMs,
  inside,
  stuckAfterMs = STUCK_AFTER_MS,
  isWorking = () => false,
}: Draining): Promise<void> {
  let left = inside();
  let movedMs = clock.now();
  while (left > 0) {
    const nowMs = clock.now();
    if (isWorking()) movedMs = nowMs;
    if (nowMs >= deadlineMs || nowMs - movedMs >= stuckAfterMs) return;
    await sleep(clock, Math.min(LOOK_EVERY_MS, deadlineMs - nowMs));
    const level = inside();
    if (level < left) movedMs = clock.now();
    left = level;
  }
}
