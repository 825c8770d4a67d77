import { type Clock, sleep } from '#libs/flow-control';

/** No completion for so long: what is left is held (an open breaker, a closed gate) and is left to its offsets. */
const QUIET_MS = 500;
const LOOK_EVERY_MS = 20;

export interface DrainProgress {
  readonly clock: Clock;
  readonly inFlight: () => number;
  /** Running total. */
  readonly completed: () => number;
}

/** Waits for records in flight, only while completions arrive, and at most `deadlineMs`. */
export async function awaitCompletions(
  { clock, inFlight, completed }: DrainProgress,
  deadlineMs: number,
): Promise<void> {
  const endMs = clock.now() + deadlineMs;
  let seen = completed();
  let seenAtMs = clock.now();
  while (inFlight() > 0 && clock.now() < endMs && clock.now() - seenAtMs < QUIET_MS) {
    await sleep(clock, LOOK_EVERY_MS);
    if (completed() === seen) continue;
    seen = completed();
    seenAtMs = clock.now();
  }
}
