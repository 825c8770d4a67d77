import { applyDecorators } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
  ApiTags,
} from '@nestjs/swagger';
import { z } from 'zod';

interface Described {
  readonly summary: string;
  readonly answer: {
    readonly description: string;
    readonly schema: z.ZodType;
    readonly example: unknown;
    /** Default 200. */
    readonly status?: number;
    /** Default application/json. */
    readonly type?: string;
  };
  /** Path parameters and an example of each. */
  readonly params?: Readonly<Record<string, string>>;
  /** Query parameters: a schema, each with its description. */
  readonly query?: z.ZodObject;
  readonly body?: { readonly schema: z.ZodType; readonly example: unknown };
  readonly problems?: readonly AdminProblemStatus[];
}

const PROBLEMS = {
  400: problem(
    400,
    'malformed',
    'The request is malformed',
    'The parameter cursor must be the `next` of a page.',
  ),
  401: problem(
    401,
    'unauthorized',
    'Unauthorized',
    'The admin API asks for the bearer token ADMIN_TOKEN.',
  ),
  403: problem(
    403,
    'forbidden',
    'Forbidden',
    'The Host header must name the loopback, such as localhost.',
  ),
  404: problem(404, 'not-found', 'Not found', 'There is no sink "callback"; there is postgres.'),
  422: {
    ...problem(
      422,
      'invalid',
      'The request is invalid',
      '/bufferSize must be a whole number of at least 1 (got 0).',
    ),
    errors: [{ path: '/bufferSize', message: 'must be a whole number of at least 1 (got 0)' }],
  },
  429: {
    ...problem(429, 'too-many-listeners', 'Too many listeners', '32 listeners are the most.'),
    retryAfterMs: 5000,
  },
  503: {
    ...problem(
      503,
      'database-away',
      'The database is away',
      'The database does not answer; what was asked for has not been done or read.',
    ),
    retryAfterMs: 5000,
  },
} as const;
type AdminProblemStatus = keyof typeof PROBLEMS;

const PROBLEM_DESCRIPTIONS: Readonly<Record<AdminProblemStatus, string>> = {
  400: 'A parameter is not as it must be; the answer names it.',
  401: 'The bearer token is missing or wrong.',
  403: 'The Host header does not name the loopback.',
  404: 'There is nothing of this name.',
  422: 'What is asked for breaks a rule, which the answer names. Nothing was changed.',
  429: 'As many listen as may.',
  503: 'The database does not answer.',
};

const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  retryAfterMs: z.number().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** Documents a route of the admin API: its answer, its input and every error. */
export function DescribeAdmin(described: Described): MethodDecorator {
  const { summary, answer, params = {}, query, body, problems = [] } = described;
  const { description, schema, example, status = 200, type = 'application/json' } = answer;
  return applyDecorators(
    ApiTags('admin'),
    ApiBearerAuth('admin'),
    ApiOperation({ summary }),
    ...Object.entries(params).map(([name, given]) =>
      ApiParam({ name, schema: { type: 'string', examples: [given] } }),
    ),
    ...Object.entries(query?.shape ?? {}).map(([name, each]) =>
      ApiQuery({
        name,
        required: false,
        description: (each as z.ZodType).description ?? '',
        schema: schemaOf(each as z.ZodType),
      }),
    ),
    ...(body === undefined
      ? []
      : [ApiBody({ required: true, schema: schemaOf(body.schema), examples: exampleOf(body) })]),
    ApiResponse({
      status,
      description,
      content: { [type]: { schema: schemaOf(schema, 'output'), example } },
    }),
    ...([401, 403, ...problems] as const).map((each) =>
      ApiResponse({
        status: each,
        description: PROBLEM_DESCRIPTIONS[each],
        content: {
          'application/problem+json': {
            schema: schemaOf(problemSchema),
            example: PROBLEMS[each],
          },
        },
      }),
    ),
  );
}

function exampleOf({ example }: { readonly example: unknown }) {
  return { example: { value: example } };
}

function problem(status: number, name: string, title: string, detail: string) {
  return { type: `/problems/${name}`, title, status, detail };
}

/** OpenAPI 3.1 takes JSON Schema 2020-12 as it is; the framework's types still are those of 3.0. */
function schemaOf(type: z.ZodType, io: 'input' | 'output' = 'input') {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(type, { target: 'draft-2020-12', io });
  return schema as object;
}
