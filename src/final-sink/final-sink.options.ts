import {
  choices,
  flag,
  options,
  type OptionsOf,
  ratio,
  secret,
  text,
  wholeNumber,
} from '../config/option.js';
import { destinationGuardSettings } from '../pipeline/destination/destination-guard.options.js';
import { areWebhookSecrets } from '../pipeline/webhook-secret.js';

export const finalSinkOptions = options('FINAL_SINK', {
  bufferSize: wholeNumber({ min: 1 })
    .default(2500)
    .describe('Credits of the stage: records that may be inside it.'),
  creditReplenishRate: wholeNumber({ min: 1 })
    .default(250)
    .describe('Credits per second by which the stage reopens after a stall.'),
  trigger: ratio()
    .default(0.85)
    .describe('Share of the pending acknowledgments above which the stage raises its trigger.'),
  latencyTargetMs: wholeNumber({ min: 1 })
    .default(1000)
    .describe('Time in the stage that counts as full pressure.'),
  requireAcknowledgment: flag()
    .default(true)
    .describe(
      'Off: a record is acknowledged when it is handed to the sink, at most once. A Postgres sink acknowledges by its commit either way.',
    ),
  maxPendingAcknowledgments: wholeNumber({ min: 1 })
    .default(1000)
    .describe('Records that may be at the destination without an answer.'),
  acknowledgmentTimeoutMs: wholeNumber({ min: 1 })
    .default(10_000)
    .describe('How long the destination may take to acknowledge a record.'),
  maxRetries: wholeNumber({ min: 1 })
    .default(3)
    .describe('Deliveries of a record in all, the first one included; an outage costs none.'),
  ...destinationGuardSettings,
});
export type FinalSinkOptions = OptionsOf<typeof finalSinkOptions>;
export const FINAL_SINK_OPTIONS = Symbol('FINAL_SINK_OPTIONS');

/** PostgreSQL cuts a longer name. */
const TABLE_NAME = /^[A-Za-z_][A-Za-z0-9_$]{0,62}(\.[A-Za-z_][A-Za-z0-9_$]{0,62})?$/;

export const sinkOptions = options('', {
  sinks: choices(['postgres', 'kafka', 'callback'])
    .optional()
    .describe(
      "Where records are delivered, each to all of them. Wins over the pipeline's sinks; neither: postgres.",
    ),
  sinkTable: text({ pattern: TABLE_NAME, rule: 'a plain or schema-qualified table name' })
    .default('delivered')
    .describe('Table of the Postgres sink, in the database of the ledger; made when missing.'),
  callbackUrl: text({
    pattern: /^https?:\/\/[^\s/@]+(\/\S*)?$/,
    rule: 'an http or https URL without a user',
  })
    .optional()
    .describe('Gets a signed POST of each payload, of a callback sink that names no URL.'),
  callbackSecret: secret()
    .refine(areWebhookSecrets, {
      message:
        'must be one or two secrets of the form whsec_… (base64 of 24 to 64 bytes), separated by a comma (got a value not shown)',
    })
    .optional()
    .describe(
      'Signs the POSTs of a callback sink (Standard Webhooks): whsec_ and base64. Two, separated by a comma, sign both: for rotation.',
    ),
});
