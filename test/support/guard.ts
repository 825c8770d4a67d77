import {
  DestinationGuard,
  type DestinationGuardOptions,
} from '../../src/pipeline/destination/destination-guard.js';
import type { DestinationGuardSettings } from '../../src/pipeline/destination/destination-guard.options.js';
import { FakeClock } from './fake-clock.js';

export const GUARD_SETTINGS: DestinationGuardSettings = {
  outagePolicy: 'hold',
  breakerOpenMs: 1000,
  breakerMaxOpenMs: 30_000,
  breakerFailures: 20,
  breakerRatio: 0.7,
};

/** A guard with the default settings, without jitter. */
export function makeGuard(options: Partial<DestinationGuardOptions> = {}): DestinationGuard {
  return new DestinationGuard({
    stage: 'AsyncEgress',
    destination: 'egress',
    settings: GUARD_SETTINGS,
    maxAttempts: 3,
    baseDelayMs: 100,
    maxDelayMs: 2000,
    clock: new FakeClock(),
    random: () => 0.5,
    ...options,
  });
}
