import { z } from 'zod';

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

const counts = z.record(z.string(), z.number().nullable());

const stageSchema = z.looseObject({
  stage: z.string(),
  pressure: z.number(),
  effectivePressure: z.number(),
  level: z.string(),
  credits: counts,
  bytes: counts,
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
  level: z.enum(['healthy', 'moderate', 'high', 'critical']),
  meanPressure: z.number(),
  bottleneck: z
    .object({ stage: z.string(), signal: z.string(), value: z.number(), sentence: z.string() })
    .nullable(),
  stages: z.array(stageSchema),
  process: z.looseObject({ memory: z.number(), network: z.number() }),
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
  stages: [
    {
      stage: 'FinalSink',
      pressure: 0.12,
      effectivePressure: 0.12,
      level: 'healthy',
      credits: {
        capacity: 2500,
        window: 2500,
        limit: 2500,
        available: 2499,
        outstanding: 1,
        waiting: 0,
      },
      bytes: { capacity: 16_777_216, limit: 16_777_216, outstanding: 240 },
    },
  ],
  process: { memory: 0.1, network: 0 },
};

export const STATUS_EXAMPLE = {
  ...REPLICA_EXAMPLE,
  drain: null,
  conservation: CONSERVATION_EXAMPLE,
};
