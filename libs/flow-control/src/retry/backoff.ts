import type { RandomSource } from '../clock.js';

export interface BackoffOptions {
  /** Largest delay after the first attempt. */
  readonly baseMs: number;
  /** Largest delay after any attempt. */
  readonly maxMs: number;
  readonly random: RandomSource;
}

export interface Backoff {
  /** Delay before the next attempt; attempts count from 1, the first call included. */
  delayMs(attemptJustFailed: number): number;
}

/**
 * Exponential back-off with full jitter: uniform in `[0, min(maxMs, baseMs × 2^(attempt − 1)))`.
 * The whole range is drawn, since callers that failed together must not return together.
 */
export function fullJitterBackoff({ baseMs, maxMs, random }: BackoffOptions): Backoff {
  return {
    delayMs: (attemptJustFailed) =>
      random() * Math.min(maxMs, baseMs * 2 ** (attemptJustFailed - 1)),
  };
}
