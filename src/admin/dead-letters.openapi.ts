import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiQuery } from '@nestjs/swagger';
import type { z } from 'zod';
import { LETTER_STATES } from '../dead-letters/dead-letter.js';
import { type AnswerHeaders, LOCATION } from '../openapi/answer-headers.js';
import { DescribeAnswer, DescribeProblems, problem } from '../openapi/describe.js';
import { STAGE_IDS } from '../pipeline/stage.js';
import { letterSchema, movedSchema, pageSchema, summarySchema } from './dead-letters.schema.js';

type Schema = Exclude<
  NonNullable<Extract<Parameters<typeof ApiQuery>[0], { schema?: unknown }>['schema']>,
  { $ref: string }
>;

const LETTER = {
  id: '42',
  recordId: '0198f3a2-7c4e-7b21-9c55-2f6d1e0b8a47',
  destination: 'postgres',
  tenant: 'default',
  key: 'customer-42',
  priority: 'normal',
  reason: 'rejected',
  stage: 'FinalSink',
  state: 'waiting',
  attempts: 1,
  lastError: 'PostgreSQL refuses the row (SQLSTATE 23514): new row violates a check constraint',
  sizeBytes: 212,
  acceptedAt: '2026-01-01T12:00:00.000Z',
  deadLetteredAt: '2026-01-01T12:00:00.250Z',
  redriveCount: 1,
};
const OPERATOR = 'admin-token@10.0.0.7';
const REASON = 'test order, agreed with the shop';
const { lastError, ...MOVED } = LETTER;
const DETAIL = {
  ...LETTER,
  payload: { orderId: 'order-1001', currency: 'USD' },
  headers: { 'shop-region': 'eu' },
  failures: [
    {
      at: '2026-01-01T12:00:00.240Z',
      stage: 'FinalSink',
      destination: 'postgres',
      error: lastError,
    },
  ],
  trail: [
    { at: '2026-01-01T13:00:00.000Z', event: 'redrive', by: OPERATOR },
    { at: '2026-01-01T13:00:00.040Z', event: 'dead-lettered', reason: 'rejected' },
  ],
};

/** Documents `GET /v1/admin/dead-letters`. */
export function DescribeLetters(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ summary: 'Dead letters, newest first, page by page' }),
    ...filters(),
    query('limit', 'Letters of a page.', {
      type: 'integer',
      minimum: 1,
      maximum: 500,
      default: 50,
    }),
    query('cursor', 'The `next` of the page before.'),
    answers(200, 'A page; letters that come meanwhile move none of the later pages.', pageSchema, {
      deadLetters: [LETTER],
      next: null,
    }),
    malformed('The parameter limit must be a whole number between 1 and 500.'),
    databaseAway(),
  );
}

/** Documents `GET /v1/admin/dead-letters/summary`. */
export function DescribeSummary(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ summary: 'How many dead letters there are, by what they have in common' }),
    query('by', 'A comma list of reason, stage, destination.', {
      type: 'string',
      default: 'reason',
      examples: ['reason,destination'],
    }),
    ...filters('Letters that wait, unless another state is asked for.'),
    answers(200, 'A group for each combination.', summarySchema, {
      by: ['reason'],
      groups: [
        {
          reason: LETTER.reason,
          count: 17,
          oldest: '2026-01-01T12:00:00.250Z',
          newest: '2026-01-01T12:07:31.118Z',
        },
      ],
    }),
    malformed(
      'The parameter by must be a comma list of reason, stage, destination, each at most once.',
    ),
    databaseAway(),
  );
}

/** Documents `GET /v1/admin/dead-letters/{id}`. */
export function DescribeLetter(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ summary: 'One dead letter: its payload, every attempt, what happened since' }),
    idParameter(),
    answers(200, 'The letter.', letterSchema, DETAIL),
    unknown(),
    databaseAway(),
  );
}

/** Documents `POST /v1/admin/dead-letters/{id}/redrive`. */
export function DescribeRedrive(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ summary: 'Sends the record of a dead letter again' }),
    idParameter(),
    answers(
      202,
      'It will be sent again, at the lowest priority; Location says where to follow it. Its end is acknowledged, or dead-lettered again. In exactly-once mode the answer is 409 (exactly-once): no offset stands for a dead letter.',
      movedSchema,
      movedExample('redriving', 2),
      LOCATION,
    ),
    unknown(),
    notWaiting(),
    databaseAway(),
  );
}

/** Documents `DELETE /v1/admin/dead-letters/{id}`. */
export function DescribeDiscard(): MethodDecorator {
  return applyDecorators(
    ApiOperation({ summary: 'Gives a dead letter up, with the reason' }),
    idParameter(),
    ApiQuery({
      name: 'reason',
      required: true,
      description: 'Why; it is kept with the letter and in the log.',
      schema: { type: 'string', maxLength: 500, examples: [REASON] } as Schema,
    }),
    answers(
      200,
      'The letter stays to be looked up, and makes room; its record stays dead-lettered.',
      movedSchema,
      movedExample('discarded', 1),
    ),
    malformed('The parameter reason is required: why the letter is not to be sent.'),
    unknown(),
    notWaiting(),
    databaseAway(),
  );
}

function filters(stateText = 'Default: every state.') {
  return [
    query('reason', 'Why it died, such as attempts or validation.'),
    query('stage', 'Where it died.', { type: 'string', enum: [...STAGE_IDS] }),
    query('key', 'The key of the record.'),
    query('destination', 'What did not take it; empty: it reached no destination.'),
    query('state', stateText, { type: 'string', enum: [...LETTER_STATES] }),
    query('since', 'Died at this time (RFC 3339) or later.', {
      type: 'string',
      format: 'date-time',
    }),
    query('until', 'Died before this time.', { type: 'string', format: 'date-time' }),
  ];
}

function query(name: string, description: string, schema: object = { type: 'string' }) {
  return ApiQuery({ name, required: false, description, schema: schema as Schema });
}

function idParameter() {
  return ApiParam({ name: 'id', schema: { type: 'string', examples: [LETTER.id] } as Schema });
}

function movedExample(state: string, redriveCount: number) {
  return { id: MOVED.id, recordId: MOVED.recordId, state, redriveCount };
}

function answers(
  status: number,
  description: string,
  schema: z.ZodType,
  example: unknown,
  headers: AnswerHeaders = {},
) {
  return DescribeAnswer({ status, description, schema, example, headers });
}

function malformed(detail: string) {
  return refusal(400, 'malformed', 'The request is malformed', detail);
}

function unknown() {
  return refusal(404, 'not-found', 'Not found', 'There is no dead letter of this id.');
}

function notWaiting() {
  const detail =
    'The dead letter is redriving; only one that is waiting can be sent again or discarded.';
  return refusal(409, 'not-waiting', 'The dead letter does not wait', detail);
}

function databaseAway() {
  const detail =
    'The database does not answer: nothing was read, and a change may have been made or not. Ask again.';
  return refusal(503, 'database-away', 'The database is away', detail, { retryAfterMs: 5000 });
}

function refusal(
  status: number,
  name: string,
  title: string,
  detail: string,
  facts: { readonly retryAfterMs?: number } = {},
) {
  return DescribeProblems({
    description: `${title}.`,
    example: problem(status, name, title, detail, facts),
  });
}
