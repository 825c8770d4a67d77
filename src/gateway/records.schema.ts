import { z } from 'zod';
import { failedAttemptSchema } from '../pipeline/failed-attempt.js';
import { LETTER_EVENTS } from '../ledger/letter-trail.js';
import { problemSchema } from '../openapi/problem.schema.js';
import { type IdempotencyKey, PRIORITIES, type ValidationIssue } from '../pipeline/record.js';
import { STAGE_IDS } from '../pipeline/stage.js';
import { escapePointer } from './json/json-issues.js';

/** Longest key, in UTF-16 units. */
const MAX_KEY_LENGTH = 1024;
const MAX_HEADERS = 64;
const MAX_HEADER_NAME_LENGTH = 128;
/** `token` of RFC 9110. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;

const headersSchema = z
  .record(z.string().max(MAX_HEADER_NAME_LENGTH).regex(HEADER_NAME), z.string())
  .refine((headers) => Object.keys(headers).length <= MAX_HEADERS, {
    message: `must have at most ${MAX_HEADERS} entries`,
  });

/** What a sender gives of one record. */
export const envelopeSchema = z.strictObject({
  key: z
    .string()
    .max(MAX_KEY_LENGTH)
    .optional()
    .describe('Records of one key are delivered in the order in which they were accepted.'),
  payload: z.unknown().describe('Any JSON value; the pipeline definition may ask for more.'),
  headers: headersSchema
    .optional()
    .describe('Travel with the record; names are case-insensitive and become lower case.'),
  priority: z
    .enum(PRIORITIES)
    .optional()
    .describe('Who is refused last under overload; wins over the header Penstock-Priority.'),
});
/** A checked record: header names are in lower case. */
export type Envelope = Readonly<z.output<typeof envelopeSchema>> & {
  /** Of a CloudEvent; the header Idempotency-Key wins. */
  readonly idempotencyKey?: IdempotencyKey;
};

/** Checks one record of a body; paths of the issues begin at the record. */
export function checkEnvelope(value: unknown): Envelope | readonly ValidationIssue[] {
  const result = envelopeSchema.safeParse(value);
  if (!result.success) return result.error.issues.flatMap(issuesOf);
  const envelope = result.data;
  if (envelope.headers === undefined) return envelope;
  // From the sender's own object: zod leaves `__proto__` out, and here it is a name like any other.
  const headers = (value as { headers: Record<string, unknown> }).headers;
  const wrong = Object.keys(headers).find((name) => typeof headers[name] !== 'string');
  if (wrong !== undefined) {
    return [{ path: `/headers/${escapePointer(wrong)}`, message: 'must be text' }];
  }
  return { ...envelope, headers: lowerCaseNames(headers as Record<string, string>) };
}

export function isIssues(
  checked: Envelope | readonly ValidationIssue[],
): checked is readonly ValidationIssue[] {
  return Array.isArray(checked);
}

function lowerCaseNames(headers: Record<string, string>): Record<string, string> {
  // `fromEntries` defines properties; an assignment to `__proto__` would set the prototype.
  return Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [name.toLowerCase(), text]),
  );
}

function issuesOf(issue: z.core.$ZodIssue): ValidationIssue[] {
  const path = issue.path.map((part) => `/${escapePointer(String(part))}`).join('');
  if (issue.code === 'unrecognized_keys') {
    const message = 'is not a field of a record';
    return issue.keys.map((name) => ({ path: `${path}/${escapePointer(name)}`, message }));
  }
  if (path === '/payload') return [{ path, message: 'is required' }];
  return [{ path, message: issue.message }];
}

/** A CloudEvent in the JSON format, as a sender is told of it; `checkEvent` is what checks one. */
export const eventSchema = z
  .object({
    specversion: z.literal('1.0'),
    id: z.string().min(1),
    source: z.string().min(1).describe('A URI reference; with the id it says which event this is.'),
    type: z.string().min(1),
    datacontenttype: z.string().optional().describe('A media type; absent: application/json.'),
    dataschema: z.string().optional(),
    subject: z.string().optional(),
    time: z.string().optional().describe('RFC 3339.'),
    partitionkey: z.string().optional().describe('The key of the record.'),
    data: z.unknown().optional().describe('The payload of the record: any JSON value.'),
    data_base64: z
      .string()
      .optional()
      .describe('The same as base64, when datacontenttype is JSON.'),
  })
  .catchall(z.union([z.string(), z.boolean(), z.int32(), z.null()]))
  .describe('CloudEvents 1.0; other members are extension attributes.');

/** What is answered about a record that was taken. */
export const acceptedSchema = z.object({
  id: z.string().describe('Look the record up with it: GET /v1/records/{id}.'),
  status: z.enum(['accepted', 'acknowledged', 'dead-lettered', 'discarded']),
  reason: z.string().optional().describe('Why, for a dead letter or a discarded record.'),
});
export type AcceptedAnswer = Readonly<z.output<typeof acceptedSchema>>;

export const batchResultSchema = z.union([
  acceptedSchema.extend({
    index: z.int(),
    replayed: z
      .literal(true)
      .optional()
      .describe('An earlier request brought the record, by the same Idempotency-Key.'),
  }),
  z.object({ index: z.int(), problem: problemSchema }),
]);

export const batchAnswerSchema = z.object({
  accepted: z.int().describe('Records that were taken, those discarded by the pipeline included.'),
  refused: z.int(),
  results: z.array(batchResultSchema).describe('One a record, in order.'),
  ended: z
    .object({
      reason: z.enum(['idle', 'too-old', 'too-many-records', 'too-many-bytes', 'draining']),
      detail: z.string(),
    })
    .optional()
    .describe('Present when a stream was ended before its sender ended it: the rest was not read.'),
});
export type StreamEnd = NonNullable<z.output<typeof batchAnswerSchema>['ended']>;

/** Of a batch of which nothing was taken: the problem, and what the answer would have said. */
export const batchProblemSchema = problemSchema.extend(batchAnswerSchema.partial().shape);

/** What is known of a record. */
export const recordStatusSchema = z.object({
  id: z.string(),
  status: z.enum(['accepted', 'acknowledged', 'dead-lettered', 'discarded']),
  tenant: z.string().optional(),
  acceptedAt: z.iso.datetime().optional(),
  key: z.string().optional(),
  priority: z.enum(PRIORITIES).optional(),
  stage: z.enum(STAGE_IDS).optional().describe('Where it is, while this process carries it.'),
  attempts: z.int().optional().describe('Attempts of that stage so far.'),
  reason: z.string().optional(),
  endedAt: z.iso.datetime().optional(),
  acknowledgments: z.array(
    z.object({
      destination: z.string(),
      attempts: z.int(),
      acknowledgedAt: z.iso.datetime(),
      externalId: z.string().optional(),
    }),
  ),
  failures: z.array(failedAttemptSchema).optional().describe('Failed attempts, oldest first.'),
  deadLetters: z
    .array(z.object({ destination: z.string(), reason: z.string() }))
    .optional()
    .describe('Of a dead record with several destinations: those that did not get it.'),
  redrives: z.int().optional().describe('How often it was sent again from its dead letter.'),
  trail: z
    .array(
      z.object({
        at: z.iso.datetime(),
        event: z.enum(LETTER_EVENTS),
        reason: z.string().optional(),
      }),
    )
    .optional()
    .describe('What happened to its dead letter, oldest first.'),
  run: z
    .object({
      firstOffset: z.string(),
      lastOffset: z.string(),
      records: z.int().describe('Fewer than its offsets when some held no record.'),
      acknowledgedAt: z.iso.datetime().describe('When the newest record of the run was.'),
    })
    .optional()
    .describe(
      'The offsets that were acknowledged together with this Kafka record at the first attempt. Such a record has ' +
        'no row of its own, so tenant and acceptedAt are absent.',
    ),
});
export type RecordStatusAnswer = Readonly<z.output<typeof recordStatusSchema>>;
