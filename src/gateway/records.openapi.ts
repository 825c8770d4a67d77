import { applyDecorators } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiHeader,
  type ApiHeaderOptions,
  ApiOperation,
  type ApiOperationOptions,
  ApiParam,
  ApiTags,
} from '@nestjs/swagger';
import { z } from 'zod';
import { LOCATION, optional, RATE_LIMIT } from '../openapi/answer-headers.js';
import {
  contentOf,
  DescribeAnswer,
  type DescribedProblem,
  DescribeProblems,
} from '../openapi/describe.js';
import { PRIORITIES } from '../pipeline/record.js';
import { PROBLEMS, type ProblemStatus } from './problem-examples.js';
import {
  acceptedSchema,
  batchAnswerSchema,
  batchProblemSchema,
  envelopeSchema,
  eventSchema,
  recordStatusSchema,
} from './records.schema.js';

type Content = NonNullable<
  Exclude<ApiOperationOptions['requestBody'], { $ref: string } | undefined>
>['content'];

const ID = '0198f3a2-7c4e-7b21-9c55-2f6d1e0b8a47';
/** Fits the default pipeline, so that what the page offers to send is accepted. */
const RECORD = {
  payload: {
    orderId: 'order-1001',
    customerId: 'customer-42',
    currency: 'EUR',
    placedAt: '2026-01-01T12:00:00Z',
    items: [{ sku: 'A-1', quantity: 2, unitPrice: 9.5 }],
  },
  headers: { 'shop-region': 'eu' },
};
const EVENT = {
  specversion: '1.0',
  id: 'a-1001',
  source: '/shop/eu',
  type: 'com.example.order.placed',
  time: '2026-01-01T12:00:00Z',
  partitionkey: 'customer-42',
  data: RECORD.payload,
};
/** Of answers that may be replays. */
const REPLAYED = {
  'Idempotency-Replayed': {
    description: '`true` when an earlier request brought the record, by the same Idempotency-Key.',
    schema: { type: 'string' as const, enum: ['true'] },
  },
};

/** Of answers that may have been waited for. */
const WAITED = {
  'Preference-Applied': {
    description: 'How long the end of the record was waited for at most.',
    schema: { type: 'string' as const, pattern: String.raw`^wait=\d+$` },
  },
};

const INTAKE_PROBLEMS: readonly ProblemStatus[] = [
  400, 401, 403, 406, 408, 409, 413, 415, 422, 429, 500, 503,
];

/** Documents `POST /v1/records`. */
export function DescribeAccept(): MethodDecorator {
  return applyDecorators(
    describeIntake('Takes one record', {
      ...json(envelopeSchema, RECORD),
      ...contentOf('application/cloudevents+json', eventSchema, EVENT, 'input'),
    }),
    ApiHeader({
      name: 'ce-specversion',
      required: false,
      description:
        'With ce-id, ce-source and ce-type: the request is a CloudEvent in binary mode, its body the data. Every other ' +
        'field ce-… is an attribute.',
      schema: { type: 'string', enum: ['1.0'] },
    }),
    ApiHeader({
      name: 'Prefer',
      description: '`wait=N`: wait up to N seconds, at most 30, for the end of the record.',
      schema: { type: 'string', examples: ['wait=5'] },
    }),
    DescribeAnswer({
      status: 202,
      description: 'Accepted: it is kept, and will reach exactly one end. Location says where.',
      headers: { ...LOCATION, ...WAITED, ...REPLAYED },
      schema: acceptedSchema,
      example: { id: ID, status: 'accepted' },
    }),
    DescribeAnswer({
      status: 200,
      description:
        'The record has ended: it was waited for, it is a replay, or the pipeline discarded it.',
      headers: { ...optional(LOCATION), ...WAITED, ...REPLAYED },
      schema: acceptedSchema,
      example: { id: ID, status: 'discarded', reason: 'test order' },
    }),
    describeProblems(INTAKE_PROBLEMS),
  );
}

/** Documents `POST /v1/records:batch`. */
export function DescribeBatch(): MethodDecorator {
  const lines = `${JSON.stringify(RECORD)}\n`;
  const results = [{ index: 0, id: ID, status: 'accepted' }];
  return applyDecorators(
    describeIntake('Takes many records', {
      ...json(z.array(envelopeSchema), [RECORD]),
      'application/x-ndjson': {
        schema: {
          type: 'string',
          description: 'One record a line; read as fast as it can be taken.',
        },
        example: lines,
      },
      ...contentOf('application/cloudevents-batch+json', z.array(eventSchema), [EVENT], 'input'),
    }),
    DescribeAnswer({
      status: 202,
      description: 'At least one record was taken; the results say which.',
      schema: batchAnswerSchema,
      example: { accepted: 1, refused: 0, results },
    }),
    describeProblems(INTAKE_PROBLEMS, batchProblemSchema),
  );
}

/** Documents `GET /v1/records/{id}`. */
export function DescribeLookup(): MethodDecorator {
  return applyDecorators(
    ApiTags('records'),
    ApiBearerAuth('ingest'),
    ApiOperation({ summary: 'Says where a record is, or how it ended' }),
    ApiParam({ name: 'id', schema: { type: 'string', examples: [ID] } }),
    DescribeAnswer({
      status: 200,
      description: 'The record is known.',
      schema: recordStatusSchema,
      example: {
        id: ID,
        status: 'acknowledged',
        tenant: 'default',
        acceptedAt: '2026-01-01T12:00:00.000Z',
        endedAt: '2026-01-01T12:00:00.250Z',
        acknowledgments: [
          { destination: 'postgres', attempts: 1, acknowledgedAt: '2026-01-01T12:00:00.250Z' },
        ],
      },
    }),
    describeProblems([401, 403, 404, 503]),
  );
}

function describeIntake(summary: string, content: Content): MethodDecorator {
  const headers: readonly ApiHeaderOptions[] = [
    {
      name: 'Penstock-Tenant',
      description: 'Whose records these are; 1 to 64 letters, digits, dots, underscores, hyphens.',
      schema: { type: 'string', default: 'default' },
    },
    {
      name: 'Penstock-Deadline',
      description:
        'RFC 3339 time after which no attempt is begun: the record is discarded then, reason `expired`. Past: 422; can ' +
        'not be met by what a record takes now: 429, signal `deadline`.',
      schema: { type: 'string', format: 'date-time', examples: ['2026-01-01T12:00:05Z'] },
    },
    {
      name: 'Penstock-Priority',
      description: 'Who is refused last under overload.',
      schema: { type: 'string', enum: [...PRIORITIES], default: 'normal' },
    },
    {
      name: 'Idempotency-Key',
      description:
        'Sent again with the same key and body, the request brings no second record: the answer is about the first ' +
        'one, as it is now. Other bytes under the same key are refused with 422. In a batch each record has its place ' +
        'in the key. Kept for IDEMPOTENCY_TTL_HOURS after the record was accepted.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    },
  ];
  return applyDecorators(
    ApiTags('records'),
    ApiBearerAuth('ingest'),
    ApiOperation({ summary, requestBody: { required: true, content } }),
    ...headers.map((header) => ApiHeader({ required: false, ...header })),
  );
}

function describeProblems(statuses: readonly ProblemStatus[], schema?: z.ZodType): MethodDecorator {
  return DescribeProblems(
    ...statuses.map((status): DescribedProblem => ({
      ...PROBLEMS[status],
      ...(status === 429 && { headers: RATE_LIMIT }),
      ...(schema && { schema }),
    })),
  );
}

function json(schema: z.ZodType, example: unknown): Content {
  return contentOf('application/json', schema, example);
}
