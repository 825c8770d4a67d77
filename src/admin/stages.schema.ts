import { z } from 'zod';
import { STAGE_STATUS_EXAMPLE, stageStatusSchema } from './pipeline-status.schema.js';

/** A year. */
const MOST_SECONDS = 31_536_000;
const SECONDS = `must be a whole number between 1 and ${MOST_SECONDS}`;

const limitStatus = z.object({
  configured: z.number().describe('What the settings of the start say.'),
  current: z.number().describe('What holds now.'),
  changed: z.boolean(),
});

export const stageReportSchema = z.object({
  stage: z.string(),
  limits: z.record(z.string(), limitStatus),
  revertsAt: z.iso
    .datetime()
    .nullable()
    .describe('When all changed limits go back to what is configured; null: they stay.'),
  changedBy: z.string().nullable(),
  changedAt: z.iso.datetime().nullable(),
  status: stageStatusSchema.describe('As in GET /v1/admin/pipeline.'),
});

const limit = z.number().nullable().optional();

/** Rules and ranges are those of the settings; here only the form is checked. */
export const stageChangeSchema = z.strictObject({
  bufferSize: limit.describe('Credits of the stage; null: as configured, also below.'),
  creditReplenishRate: limit,
  trigger: limit,
  latencyTargetMs: limit,
  maxRequestsPerSecond: limit.describe('Gateway.'),
  maxConcurrentRequests: limit.describe('Gateway.'),
  maxBufferSize: limit.describe('IngressProcessing.'),
  maxConcurrentOperations: limit.describe('AsyncEgress; at most what is configured.'),
  maxPendingAcknowledgments: limit.describe('FinalSink; at most what is configured.'),
  ttlSeconds: z
    .int(SECONDS)
    .min(1, SECONDS)
    .max(MOST_SECONDS, SECONDS)
    .optional()
    .describe('After this time all changed limits of the stage revert. Absent: they stay.'),
});

export const STAGE_EXAMPLE = {
  stage: 'FinalSink',
  limits: {
    bufferSize: { configured: 2500, current: 500, changed: true },
    creditReplenishRate: { configured: 250, current: 250, changed: false },
    trigger: { configured: 0.85, current: 0.85, changed: false },
    latencyTargetMs: { configured: 1000, current: 1000, changed: false },
    maxPendingAcknowledgments: { configured: 1000, current: 200, changed: true },
  },
  revertsAt: '2026-01-01T12:10:00.000Z',
  changedBy: 'admin-token@10.0.0.7',
  changedAt: '2026-01-01T12:00:00.000Z',
  status: STAGE_STATUS_EXAMPLE,
};

export const STAGE_CHANGE_EXAMPLE = {
  bufferSize: 500,
  maxPendingAcknowledgments: 200,
  ttlSeconds: 600,
};
