import { applyDecorators } from '@nestjs/common';
import { ApiResponse, type ApiResponseNoStatusOptions } from '@nestjs/swagger';
import { z } from 'zod';
import { type AnswerHeaders, RETRY_AFTER, WWW_AUTHENTICATE } from './answer-headers.js';
import { problemSchema } from './problem.schema.js';

type Content = NonNullable<ApiResponseNoStatusOptions['content']>;
export type SchemaObject = NonNullable<Content[string]['schema']>;

/** One kind of answer of a route. */
export interface DescribedAnswer {
  /** Default 200. */
  readonly status?: number;
  readonly description: string;
  readonly schema: z.ZodType;
  /** A true one: a test holds it against the schema. */
  readonly example: unknown;
  /** Default application/json. */
  readonly type?: string;
  readonly headers?: AnswerHeaders;
}

/** One kind of error of a route: a problem document of RFC 9457. */
export interface DescribedProblem {
  readonly description: string;
  readonly example: ReturnType<typeof problem>;
  /** Of documents with members beyond those that all problems may have. */
  readonly schema?: z.ZodType;
  /** Beside those that its status always has. */
  readonly headers?: AnswerHeaders;
}

/** OpenAPI 3.1 takes JSON Schema 2020-12 as it is; the framework's types still are those of 3.0. */
export function jsonSchemaOf(type: z.ZodType, io: 'input' | 'output' = 'output'): SchemaObject {
  const options = { target: 'draft-2020-12', io, unrepresentable: 'any' } as const;
  const { $schema: _dialect, ...schema } = z.toJSONSchema(type, options);
  return schema as SchemaObject;
}

/** The body of a request or answer by its media type. */
export function contentOf(
  type: string,
  schema: z.ZodType,
  example: unknown,
  io: 'input' | 'output' = 'output',
): Content {
  return { [type]: { schema: jsonSchemaOf(schema, io), example } };
}

/** Documents one kind of answer. */
export function DescribeAnswer(answer: DescribedAnswer): MethodDecorator & ClassDecorator {
  const { status = 200, description, schema, example, type = 'application/json' } = answer;
  const headers = { ...answer.headers };
  return ApiResponse({ status, description, headers, content: contentOf(type, schema, example) });
}

/** Documents kinds of errors; the status of each is that of its example. */
export function DescribeProblems(
  ...problems: readonly DescribedProblem[]
): MethodDecorator & ClassDecorator {
  return applyDecorators(
    ...problems.map(({ description, example, schema = problemSchema, headers }) => {
      const { status } = example;
      return DescribeAnswer({
        status,
        description,
        schema,
        example,
        type: 'application/problem+json',
        headers: { ...headersOfProblem(example), ...headers },
      });
    }),
  );
}

/** An example of a problem document, with what it says beside its sentence. */
export function problem(
  status: number,
  name: string,
  title: string,
  detail: string,
  facts: Readonly<Record<string, unknown>> = {},
) {
  return { type: `/problems/${name}`, title, status, detail, ...facts };
}

function headersOfProblem({ status, ...facts }: { status: number }): AnswerHeaders {
  if (status === 401) return WWW_AUTHENTICATE;
  return 'retryAfterMs' in facts ? RETRY_AFTER : {};
}
