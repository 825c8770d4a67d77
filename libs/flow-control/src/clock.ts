import { performance } from 'node:perf_hooks';

/** A pending callback. */
export interface Timer {
  /** Keeps the callback from running. Later calls, and calls after it ran, do nothing. */
  cancel(): void;
}

/** The only source of time of this library, so that a test can own it. */
export interface Clock {
  /** Monotonic milliseconds, fractions allowed; only differences mean something. */
  now(): number;
  /** Milliseconds since 1970, whole; for what a person or another process reads. */
  wallNow(): number;
  /** Runs `callback` once, not before `delayMs` have passed. Never keeps the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
}

/** Uniform in [0, 1). */
export type RandomSource = () => number;

/** Node fires a longer timer after 1 ms instead (24.8 days in a signed 32-bit number). */
const MAX_TIMER_DELAY_MS = 2_147_483_647;

/** The clock of the running process. A delay above 24.8 days counts as 24.8 days. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now();
  }

  wallNow(): number {
    return Date.now();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    // Node cuts fractions off, which would fire early.
    const wholeMs = Math.min(Math.ceil(delayMs), MAX_TIMER_DELAY_MS);
    const timeout = setTimeout(callback, wholeMs).unref();
    return { cancel: () => clearTimeout(timeout) };
  }
}

/** Resolves after `delayMs`; rejects with `signal.reason` at once when the signal aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
