import { z } from 'zod';
import { STAGE_IDS } from '../pipeline/stage-id.js';

const sourceTotals = z.object({
  accepted: z.int(),
  acknowledged: z.int(),
  deadLettered: z.int(),
  discarded: z.int(),
});

export const conservationSchema = sourceTotals.extend({
  inFlight: z.int().describe('Counted in the journal, not computed.'),
  balanced: z
    .boolean()
    .describe('accepted = acknowledged + dead-lettered + discarded + in flight, for each source.'),
  sources: z.object({ rest: sourceTotals, kafka: sourceTotals }),
});

const level = z.enum(['healthy', 'moderate', 'high', 'critical']);
const bound = z.number().nullable().describe('Null: without a bound.');

export const stageStatusSchema = z.object({
  stage: z.enum(STAGE_IDS),
  pressure: z.number().describe('Of its own; `level` is its word.'),
  effectivePressure: z.number().describe('With what propagates from the stages behind it.'),
  level,
  queueUtilization: z.number(),
  creditUtilization: z.number(),
  processingLatencyMs: z
    .number()
    .describe('The larger of the mean and the age of the oldest record inside.'),
  errorRate: z.number(),
  throttled: z.boolean(),
  throttleDelayMs: z.number(),
  stale: z.boolean().describe('Work is inside and nothing comes out.'),
  credits: z.object({
    capacity: z.number(),
    window: z.number(),
    limit: z.number(),
    available: z.number(),
    outstanding: z.number(),
    waiting: z.number(),
  }),
  bytes: z.object({ capacity: bound, limit: bound, outstanding: z.number() }),
  inService: z
    .object({ running: z.number(), limit: z.number() })
    .nullable()
    .describe('Running calls or pending acknowledgments, and how many may be.'),
  creditFactor: z.number().describe('Of the reaction in force.'),
  busyRatio: z.number(),
  blockedRatio: z.number(),
  idleRatio: z.number(),
  oldestMs: z.number(),
  perSecond: z.number(),
});

export const peerSchema = z.object({
  instance: z.string(),
  state: z.string(),
  startedAt: z.iso.datetime(),
  seenAt: z.iso.datetime().describe("When it was last heard of, by the database's clock."),
});

/** One replica; what the events send, too. */
export const replicaSchema = z.object({
  instance: z.string(),
  peers: z.array(peerSchema).describe('The other replicas on this database, as last heard of.'),
  state: z.enum(['starting', 'running', 'paused', 'closed', 'announcing', 'draining', 'stopped']),
  closed: z.object({ reason: z.string(), detail: z.string() }).nullable(),
  paused: z.array(z.string()).describe('`pipeline`, `source:rest`, `sink:postgres`, …'),
  inFlight: z.int().describe('Records that this process carries.'),
  pressure: z.number(),
  level,
  meanPressure: z.number(),
  bottleneck: z
    .object({ stage: z.string(), signal: z.string(), value: z.number(), sentence: z.string() })
    .nullable(),
  stages: z.array(stageStatusSchema),
  process: z.object({ memory: z.number(), network: z.number() }),
});

export const pipelineSchema = replicaSchema.extend({
  drain: z
    .object({
      requestedAt: z.iso.datetime().nullable(),
      by: z.string().nullable(),
      inFlight: z.int().nullable(),
      isEmpty: z.boolean(),
    })
    .nullable()
    .describe('How far a drain that was asked for is.'),
  conservation: conservationSchema.nullable(),
});

const TOTALS = { accepted: 12, acknowledged: 10, deadLettered: 1, discarded: 0 };
const NONE = { accepted: 0, acknowledged: 0, deadLettered: 0, discarded: 0 };

export const CONSERVATION_EXAMPLE = {
  ...TOTALS,
  inFlight: 1,
  balanced: true,
  sources: { rest: TOTALS, kafka: NONE },
};

export const STAGE_STATUS_EXAMPLE = {
  stage: 'FinalSink',
  pressure: 0.12,
  effectivePressure: 0.12,
  level: 'healthy',
  queueUtilization: 0.12,
  creditUtilization: 0.0004,
  processingLatencyMs: 4.2,
  errorRate: 0,
  throttled: false,
  throttleDelayMs: 0,
  stale: false,
  credits: {
    capacity: 2500,
    window: 2500,
    limit: 2500,
    available: 2499,
    outstanding: 1,
    waiting: 0,
  },
  bytes: { capacity: 16_777_216, limit: 16_777_216, outstanding: 240 },
  inService: { running: 1, limit: 1000 },
  creditFactor: 1,
  busyRatio: 0.2,
  blockedRatio: 0,
  idleRatio: 0.8,
  oldestMs: 3,
  perSecond: 120,
};

export const REPLICA_EXAMPLE = {
  instance: 'penstock-0',
  peers: [
    {
      instance: 'penstock-1',
      state: 'running',
      startedAt: '2026-01-01T11:00:00.000Z',
      seenAt: '2026-01-01T12:00:00.000Z',
    },
  ],
  state: 'running',
  closed: null,
  paused: ['sink:postgres'],
  inFlight: 1,
  pressure: 0.12,
  level: 'healthy',
  meanPressure: 0.05,
  bottleneck: null,
  stages: [STAGE_STATUS_EXAMPLE],
  process: { memory: 0.1, network: 0 },
};

export const STATUS_EXAMPLE = {
  ...REPLICA_EXAMPLE,
  drain: null,
  conservation: CONSERVATION_EXAMPLE,
};
