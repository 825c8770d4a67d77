/**
 * Answers that every route may give, in one place instead of at each route: 400 for a URL that
 * can't be read, 500 when the service fails, 503 while it starts, and 406 where the answer is JSON. An answer of the same status that the route describes itself stays as it is; what is missing is added to it.
 */
import type { OpenAPIObject } from '@nestjs/swagger';
import { type AnswerHeaders, optional, RETRY_AFTER } from './answer-headers.js';
import { contentOf, problem } from './describe.js';
import { problemSchema } from './problem.schema.js';
import { NOT_ACCEPTABLE } from './shared-problems.js';

interface Answer {
  readonly description: string;
  readonly headers?: AnswerHeaders;
  readonly content?: Readonly<Record<string, object>>;
}
type Answers = Record<string, Answer>;

const PROBLEM = 'application/problem+json';
const JSON_TYPE = 'application/json';
/** Probes, scrapers and browsers are answered whatever they accept. */
const API_PATH = /^\/v1\//;

const OF_ALL: Answers = {
  400: common(
    'The URL can not be read, or the request has no Host.',
    problem(400, 'malformed', 'The request is malformed', 'The request has no Host.'),
  ),
  500: common(
    'The service failed on this request; its log says why.',
    problem(
      500,
      'internal',
      'Internal error',
      'The service failed on this request; its log says why.',
    ),
  ),
  503: common(
    'The service is starting.',
    problem(503, 'starting', 'Nothing can be accepted at the moment', 'The service is starting.', {
      retryAfterMs: 1000,
    }),
    RETRY_AFTER,
  ),
};

const OF_JSON: Answers = {
  406: common(NOT_ACCEPTABLE.description, NOT_ACCEPTABLE.example),
};

/** The paths with the answers that all of them have. */
export function withCommonAnswers(paths: OpenAPIObject['paths']): OpenAPIObject['paths'] {
  return Object.fromEntries(
    Object.entries(paths).map(([path, item]) => {
      const operations = Object.entries(item).map(
        ([method, operation]: [string, { responses: Answers }]) => {
          const responses = completed(operation.responses, API_PATH.test(path));
          return [method, { ...operation, responses }];
        },
      );
      return [path, Object.fromEntries(operations)];
    }),
  );
}

function common(
  description: string,
  example: ReturnType<typeof problem>,
  headers: AnswerHeaders = {},
): Answer {
  return { description, headers, content: contentOf(PROBLEM, problemSchema, example) };
}

function completed(own: Answers, isOfApi: boolean): Answers {
  const isJson = Object.values(own).some(({ content }) => content?.[JSON_TYPE] !== undefined);
  const added = Object.entries({ ...OF_ALL, ...(isOfApi && isJson && OF_JSON) }).map(
    ([status, answer]) => [status, joined(own[status], answer)],
  );
  return { ...own, ...Object.fromEntries(added) };
}

function joined(own: Answer | undefined, common: Answer): Answer {
  if (own === undefined) return common;
  if (own.content?.[PROBLEM] !== undefined) return own;
  const { description } = own;
  return {
    description: `${description} Or: ${common.description}`,
    headers: { ...optional(common.headers ?? {}), ...own.headers },
    content: { ...own.content, ...common.content },
  };
}
