import { z } from 'zod';
import { failedAttemptSchema } from '../pipeline/failed-attempt.js';
import { LETTER_STATES, SUMMARY_COLUMNS } from '../dead-letters/dead-letter.js';
import { parseCursor } from '../dead-letters/dead-letter-cursor.js';
import { LETTER_EVENTS } from '../ledger/letter-trail.js';
import { PRIORITIES } from '../pipeline/record.js';
import { STAGE_IDS } from '../pipeline/stage.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
/** Keys have at most 1,024 units at the Gateway; those of Kafka may be longer, and then can't be asked for. */
const LONGEST_VALUE = 1024;
const LONGEST_REASON = 500;

/** Text that PostgreSQL can hold. */
const text = (longest: number) =>
  z
    .string()
    .min(1, 'must not be empty')
    .max(longest, `must have at most ${longest} characters`)
    .refine((value) => !value.includes('\0'), 'must not hold U+0000');
const moment = z.iso
  .datetime({ offset: true, message: 'must be a time of RFC 3339, such as 2026-01-01T12:00:00Z' })
  .transform((value) => new Date(value))
  .optional();
const oneOf = <const Words extends readonly string[]>(words: Words) =>
  z.enum(words, `must be one of ${words.join(', ')}`).optional();

const filterShape = {
  reason: text(LONGEST_VALUE).optional(),
  stage: oneOf(STAGE_IDS),
  key: text(LONGEST_VALUE).optional(),
  // '' are the letters of records that reached no destination.
  destination: z.string().max(LONGEST_VALUE).optional(),
  state: oneOf(LETTER_STATES),
  since: moment,
  until: moment,
};

const wholeNumber = `must be a whole number between 1 and ${MAX_LIMIT}`;

export const listQuerySchema = z.strictObject({
  ...filterShape,
  limit: z
    .string()
    .regex(/^\d{1,4}$/, wholeNumber)
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= MAX_LIMIT, wholeNumber)
    .optional()
    .transform((limit) => limit ?? DEFAULT_LIMIT),
  cursor: z
    .string()
    .transform((given, context) => {
      const cursor = parseCursor(given);
      if (cursor !== undefined) return cursor;
      context.addIssue({ code: 'custom', message: 'must be the "next" of an earlier page' });
      return z.NEVER;
    })
    .optional(),
});

const columns = `must be a comma list of ${SUMMARY_COLUMNS.join(', ')}, each at most once`;
export const summaryQuerySchema = z.strictObject({
  ...filterShape,
  by: z
    .string()
    .optional()
    .transform((given) => (given ?? 'reason').split(','))
    .refine((names) => new Set(names).size === names.length, columns)
    .pipe(z.array(z.enum(SUMMARY_COLUMNS, columns))),
});

export const discardQuerySchema = z.strictObject({
  reason: z
    .string({ error: 'is required: why the letter is not to be sent' })
    .trim()
    .pipe(text(LONGEST_REASON)),
});

const letterShape = {
  id: z.string(),
  recordId: z.string().describe('GET /v1/records/{id} finds the record by it.'),
  destination: z.string().describe('Empty when the record reached none.'),
  tenant: z.string(),
  key: z.string().nullable(),
  priority: z.enum(PRIORITIES),
  reason: z.string(),
  stage: z.string(),
  state: z
    .enum(LETTER_STATES)
    .describe('redriving: on its way again. redriven: it has reached another end.'),
  attempts: z.int(),
  lastError: z.string().nullable(),
  sizeBytes: z.int(),
  acceptedAt: z.iso.datetime(),
  deadLetteredAt: z.iso.datetime(),
  redriveCount: z.int(),
};

export const pageSchema = z.object({
  deadLetters: z.array(z.object(letterShape)).describe('Newest first, without payloads.'),
  next: z.string().nullable().describe('The cursor of the next page; null on the last one.'),
});

export const letterSchema = z.object({
  ...letterShape,
  payload: z
    .unknown()
    .optional()
    .describe('As it was accepted; absent when it is no JSON that can be shown exactly.'),
  payloadBase64: z.string().optional().describe('Its bytes, where `payload` is absent.'),
  headers: z.record(z.string(), z.string()),
  failures: z.array(failedAttemptSchema).describe('Every failed attempt, oldest first.'),
  trail: z
    .array(
      z.object({
        at: z.iso.datetime(),
        event: z.enum(LETTER_EVENTS),
        by: z.string().optional(),
        reason: z.string().optional(),
      }),
    )
    .describe('What happened to it since, oldest first.'),
});
export type LetterAnswer = z.output<typeof letterSchema>;

export const summarySchema = z.object({
  by: z.array(z.enum(SUMMARY_COLUMNS)),
  groups: z
    .array(
      z.object({
        reason: z.string().optional(),
        stage: z.string().optional(),
        destination: z.string().optional(),
        count: z.int(),
        oldest: z.iso.datetime(),
        newest: z.iso.datetime(),
      }),
    )
    .describe('Largest first.'),
});

export const movedSchema = z.object({
  id: z.string(),
  recordId: z.string(),
  state: z.enum(LETTER_STATES),
  redriveCount: z.int(),
});
