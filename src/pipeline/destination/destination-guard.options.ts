import { choice, ratio, wholeNumber } from '../../config/option.js';

/** What to do with a record while its destination is away: let it wait at no cost, or charge every failure. */
export const OUTAGE_POLICIES = ['hold', 'dead-letter'] as const;
export type OutagePolicy = (typeof OUTAGE_POLICIES)[number];

/** The settings of a destination's guard; each stage with destinations has them under its own prefix. */
export const destinationGuardSettings = {
  outagePolicy: choice(OUTAGE_POLICIES)
    .default('hold')
    .describe(
      'While a destination is away: `hold`, records wait at no cost; `dead-letter`, each failure costs an attempt and a retry of the budget.',
    ),
  breakerOpenMs: wholeNumber({ min: 1 })
    .default(1000)
    .describe('How long no call is made once the breaker opens; doubles until calls succeed.'),
  breakerMaxOpenMs: wholeNumber({ min: 1 }).default(30_000).describe('Bound of that doubling.'),
  breakerFailures: wholeNumber({ min: 1 })
    .default(20)
    .describe('Failures in a row that open the breaker.'),
  breakerRatio: ratio()
    .refine((value) => value > 0, { message: 'must be a ratio above 0, at most 1 (got 0)' })
    .default(0.7)
    .describe('Share of failures that opens it, of at least ten results in ten seconds.'),
} as const;

export interface DestinationGuardSettings {
  readonly outagePolicy: OutagePolicy;
  readonly breakerOpenMs: number;
  readonly breakerMaxOpenMs: number;
  readonly breakerFailures: number;
  readonly breakerRatio: number;
}

/** The breaker's options by these settings. */
export function breakerOptionsOf(settings: Omit<DestinationGuardSettings, 'outagePolicy'>): {
  readonly openMs: number;
  readonly maxOpenMs: number;
  readonly failures: number;
  readonly ratio: number;
} {
  return {
    openMs: settings.breakerOpenMs,
    maxOpenMs: settings.breakerMaxOpenMs,
    failures: settings.breakerFailures,
    ratio: settings.breakerRatio,
  };
}
