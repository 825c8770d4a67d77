import type { ApiResponseNoStatusOptions } from '@nestjs/swagger';

export type AnswerHeaders = NonNullable<ApiResponseNoStatusOptions['headers']>;

export const LOCATION: AnswerHeaders = {
  Location: {
    description: 'Where to follow it.',
    required: true,
    schema: { type: 'string', pattern: '^/v1/' },
  },
};

export const RETRY_AFTER: AnswerHeaders = {
  'Retry-After': {
    description: 'Whole seconds; `retryAfterMs` of the problem says the same.',
    required: true,
    schema: { type: 'integer', minimum: 0 },
  },
};

export const WWW_AUTHENTICATE: AnswerHeaders = {
  'WWW-Authenticate': {
    description: 'The scheme that is asked for.',
    required: true,
    schema: { type: 'string', pattern: '^Bearer' },
  },
};

/** Of answers because a rate is used up. */
export const RATE_LIMIT: AnswerHeaders = {
  RateLimit: {
    description: 'What is left of the quota, and the seconds until there is more.',
    schema: { type: 'string', pattern: String.raw`^"[\w-]+";r=\d+;t=\d+$` },
  },
  'RateLimit-Policy': {
    description: 'The quota, and its window in seconds.',
    schema: { type: 'string', pattern: String.raw`^"[\w-]+";q=\d+(;w=\d+)?$` },
  },
};

/** The same where not every answer of the status has them. */
export function optional(headers: AnswerHeaders): AnswerHeaders {
  const entries = Object.entries(headers).map(([name, header]) => [
    name,
    { ...header, required: false },
  ]);
  return Object.fromEntries(entries) as AnswerHeaders;
}
