import { setTimeout as pause } from 'node:timers/promises';

const POLL_MS = 5;

/**
 * Looks at another process's state until `condition` holds; false when `deadlineMs` have passed. The wait keeps this
 * process alive, which an injected clock does not: nothing else may do so while the service starts.
 */
export async function pollUntil(condition: () => boolean, deadlineMs: number): Promise<boolean> {
  const endMs = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() >= endMs) return false;
    await pause(POLL_MS);
  }
  return true;
}
