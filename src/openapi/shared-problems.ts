import { problem } from './describe.js';

/** Problems that several parts of the API describe alike. */

export const NOT_ACCEPTABLE = {
  description: 'The Accept header does not admit JSON.',
  example: problem(
    406,
    'not-acceptable',
    'No representation fits the Accept header',
    'The answer is application/json.',
  ),
};

export const BODY_LATE = {
  description: 'The body did not arrive in time.',
  example: problem(
    408,
    'request-timeout',
    'The request took too long to arrive',
    'The body did not arrive within 30 s.',
  ),
};
