import { rounded } from './pressure.js';

/**
 * What follows from a pressure, as pure functions: the credit factor of a stage and the delay of callers.
 *
 * The factor falls by the stage's own pressure and comes back only below half of the first threshold (0.3 of 0.6):
 * between the two it stays, so that it does not swing. It sizes the queue of a stage, never its work in service, and no
 * pressure is measured against it: a reaction does not feed its own input.
 */
export interface Thresholds {
  readonly moderate: number;
  readonly high: number;
  readonly critical: number;
}

const FULL_FACTOR = 1;
const MODERATE_FACTOR = 0.8;
const HIGH_FACTOR = 0.5;

/** Share of the moderate threshold below which a reduced pool is restored. */
const RESTORE_SHARE = 0.5;

const MODERATE_DELAY_MS = 20;
const HIGH_DELAY_MS = 50;
const CRITICAL_DELAY_MS = 100;

export function creditFactor(own: number, present: number, thresholds: Thresholds): number {
  const pressure = rounded(own);
  if (pressure >= thresholds.high) return HIGH_FACTOR;
  if (pressure >= thresholds.moderate) return MODERATE_FACTOR;
  return pressure < rounded(thresholds.moderate * RESTORE_SHARE) ? FULL_FACTOR : present;
}

/** From the effective pressure; a raised trigger alone throttles early. */
export function throttleDelayMs(
  effective: number,
  isTriggered: boolean,
  thresholds: Thresholds,
): number {
  const pressure = rounded(effective);
  if (pressure >= thresholds.critical) return CRITICAL_DELAY_MS;
  if (pressure >= thresholds.high) return HIGH_DELAY_MS;
  return isTriggered || pressure >= thresholds.moderate ? MODERATE_DELAY_MS : 0;
}
