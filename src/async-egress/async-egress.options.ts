import {
  flag,
  options,
  type OptionsOf,
  ratio,
  secret,
  text,
  wholeNumber,
} from '../config/option.js';
import { destinationGuardSettings } from '../pipeline/destination/destination-guard.options.js';

/** Reads a JSON object of texts, or undefined when it is none. */
export function parseHeaders(json: string): Readonly<Record<string, string>> | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined; // Not JSON; the rule below says what is asked for.
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  const entries = Object.entries(parsed as Record<string, unknown>);
  const isValid = entries.every(
    ([name, value]) => HEADER_NAME.test(name) && typeof value === 'string' && !/[\r\n]/.test(value),
  );
  if (!isValid) return undefined;
  return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value as string]));
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

export const asyncEgressOptions = options('EGRESS', {
  bufferSize: wholeNumber({ min: 1 })
    .default(3000)
    .describe('Credits of the stage: records that may be inside it.'),
  creditReplenishRate: wholeNumber({ min: 1 })
    .default(300)
    .describe('Credits per second by which the stage reopens after a stall.'),
  trigger: ratio()
    .default(0.9)
    .describe('Share of the concurrent calls above which the stage raises its trigger.'),
  latencyTargetMs: wholeNumber({ min: 1 })
    .default(1000)
    .describe('Time in the stage that counts as full pressure.'),
  url: text({ pattern: /^https?:\/\/[^\s/]+/, rule: 'an http or https URL' })
    .optional()
    .describe(
      'Gets a POST of each payload: 200 replaces the payload, 204 keeps it. Absent: no call.',
    ),
  headers: secret()
    .refine((json) => parseHeaders(json) !== undefined, {
      message: 'must be a JSON object of header names and texts (got a value not shown)',
    })
    .optional()
    .describe('Headers of that POST, as a JSON object: {"authorization":"Bearer …"}.'),
  maxRetries: wholeNumber({ min: 1 })
    .default(3)
    .describe('Attempts of a call in all, the first one included; an outage costs none.'),
  operationTimeoutMs: wholeNumber({ min: 1 })
    .default(5000)
    .describe('How long a call may take before it counts as failed, unless the pipeline says.'),
  baseRetryDelayMs: wholeNumber({ min: 1 })
    .default(100)
    .describe('Longest delay after the first failed attempt; it doubles with each one.'),
  maxRetryDelayMs: wholeNumber({ min: 1 })
    .default(2000)
    .describe('Longest delay between two attempts.'),
  maxConcurrentOperations: wholeNumber({ min: 1 })
    .default(50)
    .describe('Calls that may run at a time, unless the pipeline says.'),
  ...destinationGuardSettings,
  enableDeadLetterQueue: flag()
    .default(true)
    .describe(
      'Keeps records that can’t be carried on as dead letters; off: discarded, `no-dead-letters`.',
    ),
  maxDeadLetterQueueSize: wholeNumber({ min: 1 })
    .default(10_000)
    .describe('Dead letters that are kept; at the bound the stages stop instead of dropping one.'),
});
export type AsyncEgressOptions = OptionsOf<typeof asyncEgressOptions>;
export const ASYNC_EGRESS_OPTIONS = Symbol('ASYNC_EGRESS_OPTIONS');
