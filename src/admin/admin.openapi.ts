import { applyDecorators } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import {
  contentOf,
  DescribeAnswer,
  type DescribedAnswer,
  type DescribedProblem,
  DescribeProblems,
  jsonSchemaOf,
  problem,
} from '../openapi/describe.js';
import { BODY_LATE } from '../openapi/shared-problems.js';

interface Described {
  readonly summary: string;
  readonly answer: DescribedAnswer;
  /** Path parameters and an example of each. */
  readonly params?: Readonly<Record<string, string>>;
  /** Query parameters: a schema, each with its description. */
  readonly query?: z.ZodObject;
  readonly body?: { readonly schema: z.ZodType; readonly example: unknown };
  /** Beside those of `AdminOnly` and those that every route may give. */
  readonly problems?: readonly AdminProblemStatus[];
}

/** Of any request with a body. */
const OF_BODIES = [400, 408, 413, 415] as const;

const PROBLEMS = {
  400: {
    description: 'A parameter or the body is not as it must be; the answer says what.',
    example: problem(
      400,
      'malformed',
      'The request is malformed',
      'The parameter cursor must be the `next` of a page.',
    ),
  },
  404: {
    description: 'There is nothing of this name.',
    example: problem(
      404,
      'not-found',
      'Not found',
      'There is no sink "callback"; there is postgres.',
    ),
  },
  408: BODY_LATE,
  413: {
    description: 'The body is too large.',
    example: problem(413, 'too-large', 'Too large', 'The body must have at most 1048576 bytes.', {
      limitBytes: 1_048_576,
    }),
  },
  415: {
    description: 'The body is not JSON.',
    example: problem(
      415,
      'unsupported-media-type',
      'The content type is not supported',
      'The body must be application/json (got text/plain).',
    ),
  },
  422: {
    description: 'What is asked for breaks a rule, which the answer names. Nothing was changed.',
    example: problem(
      422,
      'invalid',
      'The request is invalid',
      '/bufferSize must be a whole number of at least 1 (got 0).',
      {
        errors: [{ path: '/bufferSize', message: 'must be a whole number of at least 1 (got 0)' }],
      },
    ),
  },
  429: {
    description: 'As many listen as may.',
    example: problem(
      429,
      'too-many-listeners',
      'Too many listeners',
      '32 listeners are the most.',
      { retryAfterMs: 5000 },
    ),
  },
  503: {
    description: 'The database does not answer, or the service is starting.',
    example: problem(
      503,
      'database-away',
      'The database is away',
      'The database does not answer: nothing was read, and a change may have been made or not. Ask again.',
      { retryAfterMs: 5000 },
    ),
  },
} as const satisfies Readonly<Record<number, DescribedProblem>>;
type AdminProblemStatus = keyof typeof PROBLEMS;

/** Documents a route of the admin API: its answer, its input and its errors. */
export function DescribeAdmin(described: Described): MethodDecorator {
  const { summary, answer, params = {}, query, body, problems = [] } = described;
  const content = body && contentOf('application/json', body.schema, body.example, 'input');
  const statuses = new Set([...problems, ...(body === undefined ? [] : OF_BODIES)]);
  return applyDecorators(
    ApiTags('admin'),
    ApiOperation({ summary, ...(content && { requestBody: { required: true, content } }) }),
    ...Object.entries(params).map(([name, given]) =>
      ApiParam({ name, schema: { type: 'string', examples: [given] } }),
    ),
    ...Object.entries(query?.shape ?? {}).map(([name, each]) =>
      ApiQuery({
        name,
        required: false,
        description: (each as z.ZodType).description ?? '',
        schema: jsonSchemaOf(each as z.ZodType, 'input') as object,
      }),
    ),
    DescribeAnswer(answer),
    DescribeProblems(...Array.from(statuses, (status) => PROBLEMS[status])),
  );
}
