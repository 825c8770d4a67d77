import { applyDecorators } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiHeader,
  type ApiHeaderOptions,
  ApiOperation,
  type ApiOperationOptions,
  ApiParam,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import { z } from 'zod';
import { PRIORITIES } from '../pipeline/record.js';
import {
  acceptedSchema,
  batchAnswerSchema,
  envelopeSchema,
  eventSchema,
  problemSchema,
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
const INVALID = {
  path: '/payload/items/0/quantity',
  message: 'Invalid input: expected number, received string',
};

/** What each refusal looks like and when it comes. */
const PROBLEMS = {
  400: {
    description: 'Malformed: not JSON, not UTF-8, a header with a value that can not be.',
    example: problem(400, 'malformed', 'The request is malformed', 'The body is not valid JSON.'),
  },
  401: {
    description: 'The service has INGEST_TOKENS, and the call came without one of them.',
    example: problem(
      401,
      'unauthorized',
      'A bearer token is needed',
      'Record calls ask for a bearer token.',
    ),
  },
  403: {
    description: 'Penstock-Tenant names another tenant than the token is of.',
    example: problem(
      403,
      'forbidden',
      'Forbidden',
      'The token is of another tenant than Penstock-Tenant names.',
    ),
  },
  404: {
    description: 'No record has this id, or none of the tenant that the token is of.',
    example: problem(404, 'not-found', 'Not found', 'There is no record of this id.'),
  },
  406: {
    description: 'The Accept header does not admit JSON.',
    example: problem(
      406,
      'not-acceptable',
      'No representation fits the Accept header',
      'The answer is application/json.',
    ),
  },
  408: {
    description: 'The body did not arrive in time.',
    example: problem(
      408,
      'request-timeout',
      'The request took too long to arrive',
      'The body did not arrive within 30 s.',
    ),
  },
  409: {
    description:
      'A request with this Idempotency-Key is still running; send it again after Retry-After to hear of its record. In a ' +
      'batch the same is the problem of a record.',
    example: {
      ...problem(
        409,
        'idempotency-key-running',
        'A request with this key is still running',
        'A request with this Idempotency-Key is still running.',
      ),
      retryAfterMs: 1000,
    },
  },
  413: {
    description: 'The body, or a record of it, is too large; the answer says the limit.',
    example: {
      ...problem(413, 'too-large', 'Too large', 'A record must have at most 262144 bytes.'),
      limitBytes: 262_144,
    },
  },
  415: {
    description: 'The content type, its character set or its encoding is not supported.',
    example: problem(
      415,
      'unsupported-media-type',
      'The content type is not supported',
      'The body must be application/json or application/cloudevents+json (got text/plain).',
    ),
  },
  422: {
    description:
      'The record is invalid, and the answer says where and why; or its deadline has passed (deadline-passed), or its ' +
      'Idempotency-Key was used for another one.',
    example: {
      ...problem(422, 'invalid', 'The record is invalid', `${INVALID.path}: ${INVALID.message}.`),
      errors: [INVALID],
    },
  },
  429: {
    description:
      'No room at the moment (temporary-reduced-capacity), or the rate or what the tenant may have in flight is used ' +
      'up (quota-exceeded, with RateLimit fields). Nothing was ' +
      'accepted; send it again after Retry-After.',
    example: {
      ...problem(
        429,
        'temporary-reduced-capacity',
        'No capacity at the moment',
        'Gateway has no room: FinalSink: pending acknowledgments 900/1000 (0.63 of 0.81)',
      ),
      stage: 'FinalSink',
      signal: 'credit',
      pressure: 0.81,
      retryAfterMs: 2000,
    },
  },
  500: {
    description: 'A function of the pipeline failed on the record; it was not accepted.',
    example: problem(
      500,
      'pipeline-error',
      'The pipeline failed on the record',
      "The pipeline's preprocess threw (TypeError).",
    ),
  },
  503: {
    description: 'Nothing can be accepted: starting, draining, or the database is away.',
    example: {
      ...problem(503, 'draining', 'No records are accepted', 'The service is draining.'),
      stage: 'Gateway',
      signal: 'draining',
      retryAfterMs: 5000,
    },
  },
} as const;
type ProblemStatus = keyof typeof PROBLEMS;

/** Of answers that may be replays. */
const REPLAYED = {
  'Idempotency-Replayed': {
    description: '`true` when an earlier request brought the record, by the same Idempotency-Key.',
    schema: { type: 'string' as const, enum: ['true'] },
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
      'application/cloudevents+json': { schema: schemaOf(eventSchema), example: EVENT },
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
    ApiResponse({
      status: 202,
      description: 'Accepted: it is kept, and will reach exactly one end. Location says where.',
      headers: REPLAYED,
      content: json(acceptedSchema, { id: ID, status: 'accepted' }),
    }),
    ApiResponse({
      status: 200,
      description:
        'The record has ended: it was waited for, it is a replay, or the pipeline discarded it.',
      headers: REPLAYED,
      content: json(acceptedSchema, { id: ID, status: 'discarded', reason: 'test order' }),
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
      'application/cloudevents-batch+json': {
        schema: schemaOf(z.array(eventSchema)),
        example: [EVENT],
      },
    }),
    ApiResponse({
      status: 202,
      description: 'At least one record was taken; the results say which.',
      content: json(batchAnswerSchema, { accepted: 1, refused: 0, results }),
    }),
    describeProblems(INTAKE_PROBLEMS),
  );
}

/** Documents `GET /v1/records/{id}`. */
export function DescribeLookup(): MethodDecorator {
  return applyDecorators(
    ApiTags('records'),
    ApiBearerAuth('ingest'),
    ApiOperation({ summary: 'Says where a record is, or how it ended' }),
    ApiParam({ name: 'id', schema: { type: 'string', examples: [ID] } }),
    ApiResponse({
      status: 200,
      description: 'The record is known.',
      content: json(recordStatusSchema, {
        id: ID,
        status: 'acknowledged',
        tenant: 'default',
        acceptedAt: '2026-01-01T12:00:00.000Z',
        endedAt: '2026-01-01T12:00:00.250Z',
        acknowledgments: [
          { destination: 'postgres', attempts: 1, acknowledgedAt: '2026-01-01T12:00:00.250Z' },
        ],
      }),
    }),
    describeProblems([401, 403, 404]),
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

function describeProblems(statuses: readonly ProblemStatus[]): MethodDecorator {
  return applyDecorators(
    ...statuses.map((status) => {
      const { description, example } = PROBLEMS[status];
      const content = { 'application/problem+json': { schema: schemaOf(problemSchema), example } };
      return ApiResponse({ status, description, content });
    }),
  );
}

function problem(status: number, name: string, title: string, detail: string) {
  return { type: `/problems/${name}`, title, status, detail };
}

function json(schema: z.ZodType, example: unknown): Content {
  return { 'application/json': { schema: schemaOf(schema), example } };
}

/** OpenAPI 3.1 takes JSON Schema 2020-12 as it is; the framework's types still are those of 3.0. */
function schemaOf(type: z.ZodType): NonNullable<Content[string]['schema']> {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(type, { target: 'draft-2020-12' });
  return schema as NonNullable<Content[string]['schema']>;
}
