import type { RandomSource } from '#libs/flow-control';

const MS_PER_SECOND = 1000;
const LEAST_SECONDS = 1;
const MOST_SECONDS = 30;
/** Without it everybody refused now would return at the same moment. */
const JITTER = 0.5;

/** Time until those ahead have been served, 1 to 30 s. */
export function serviceTimeMs(waitersAhead: number, completionsPerSecond: number): number {
  const seconds = waitersAhead === 0 ? 0 : Math.ceil(waitersAhead / completionsPerSecond);
  return Math.min(MOST_SECONDS, Math.max(LEAST_SECONDS, seconds)) * MS_PER_SECOND;
}

/** What a caller is told: whole seconds, at least 1 and the given time, times 1 to 1.5, at most 30. */
export function jitteredSeconds(retryAfterMs: number, random: RandomSource): number {
  const seconds = Math.max(LEAST_SECONDS, Math.ceil(retryAfterMs / MS_PER_SECOND));
  return Math.min(MOST_SECONDS, Math.ceil(seconds * (1 + JITTER * random())));
}
