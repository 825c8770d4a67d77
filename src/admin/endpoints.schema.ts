import { z } from 'zod';

/** Where records come from and where they go, as the admin API shows them. */

const count = z.int().min(0);

const partitionSchema = z.object({
  topic: z.string(),
  partition: z.int(),
  incarnation: z.int(),
  low: z
    .string()
    .nullable()
    .describe('Every record below has ended; null until the books are read.'),
  next: z.string().nullable().describe('The record that comes next.'),
  inFlight: count,
  lagRecords: z.number(),
  committedLagRecords: z.number(),
  lagSeconds: z.number(),
  isAtLeast: z.boolean().describe('The real lag may be longer than `lagSeconds`.'),
  pausedFor: z.array(z.string()),
  pausedMs: z.number(),
});

const restSchema = z.object({ name: z.literal('rest'), paused: z.boolean() });

const kafkaSchema = z.object({
  name: z.literal('kafka'),
  paused: z.boolean(),
  state: z.enum(['stopped', 'connecting', 'running', 'waiting', 'failed', 'draining']),
  detail: z.string().nullable().describe('Why it does not run.'),
  inFlight: count,
  waitingBytes: count.describe('Fetched, and without credits yet.'),
  partitions: z.array(partitionSchema),
  counters: z.record(z.string(), count).describe('Since the start of the process.'),
});

export const sourcesSchema = z.array(z.union([restSchema, kafkaSchema]));

export const SOURCES_EXAMPLE = [
  { name: 'rest', paused: false },
  {
    name: 'kafka',
    paused: false,
    state: 'running',
    detail: null,
    inFlight: 2,
    waitingBytes: 0,
    partitions: [
      {
        topic: 'orders',
        partition: 0,
        incarnation: 1,
        low: '4096',
        next: '4098',
        inFlight: 2,
        lagRecords: 2,
        committedLagRecords: 2,
        lagSeconds: 0,
        isAtLeast: false,
        pausedFor: [],
        pausedMs: 0,
      },
    ],
    counters: { records: 4098, duplicates: 0, assignments: 1, crashes: 0 },
  },
];

const breakerSchema = z.object({
  state: z.enum(['closed', 'open', 'half-open']),
  consecutiveFailures: count,
  results: count.describe('Of the last ten seconds.'),
  failureRatio: z.number(),
  retryInMs: z.number(),
  opened: count,
});

const guardSchema = z.object({
  breaker: breakerSchema,
  gateClosedForMs: z
    .number()
    .describe('Until it may be called again, as it asked for; 0: at once.'),
  budget: z.object({
    firstAttempts: count,
    retries: count,
    available: count.describe('Retries that would be granted now.'),
    refused: count,
  }),
  abandoned: count.describe('Calls that have outlived their timeout and not ended.'),
  abandonedTotal: count,
  abandonedEnded: count,
  calls: z.record(z.string(), count).describe('By outcome, since the start.'),
  failedAttempts: z.record(z.string(), count).describe('Of records, by what followed.'),
});

const producerSchema = z.object({
  queuedRecords: count,
  queuedBytes: count,
  recordCapacity: count,
  byteCapacity: count,
  partitions: count,
  unplaced: count,
  lanes: z.object({ sending: count, held: count, late: count }),
  acknowledged: count,
  failed: count,
  sends: count,
  failedSends: count,
  lateAnswers: count,
});

export const sinksSchema = z.array(
  z.object({
    name: z.string().describe('As the books name it.'),
    paused: z.boolean(),
    kind: z.literal('sink').optional(),
    state: z.enum(['connecting', 'ready', 'busy', 'away', 'failed', 'stopped']).optional(),
    detail: z.string().optional().describe('Why it is not ready.'),
    topic: z.string().optional(),
    guard: guardSchema.optional(),
    bestEffort: z
      .object({ delivered: count, skipped: count, givenUp: count })
      .optional()
      .describe('Of a sink that is not required: what became of its records.'),
    producer: producerSchema.optional().describe('Of a Kafka sink.'),
  }),
);

export const SINKS_EXAMPLE = [
  {
    name: 'postgres',
    paused: false,
    kind: 'sink',
    state: 'ready',
    guard: {
      breaker: {
        state: 'closed',
        consecutiveFailures: 0,
        results: 120,
        failureRatio: 0,
        retryInMs: 0,
        opened: 0,
      },
      gateClosedForMs: 0,
      budget: { firstAttempts: 120, retries: 0, available: 34, refused: 0 },
      abandoned: 0,
      abandonedTotal: 0,
      abandonedEnded: 0,
      calls: { succeeded: 120, timeout: 0, outage: 0 },
      failedAttempts: { retried: 0 },
    },
  },
];
