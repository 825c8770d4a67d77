import { problem } from '../openapi/describe.js';
import { BODY_LATE, NOT_ACCEPTABLE } from '../openapi/shared-problems.js';

const INVALID = {
  path: '/payload/items/0/quantity',
  message: 'Invalid input: expected number, received string',
};

/** What each refusal looks like and when it comes. */
export const PROBLEMS = {
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
    description:
      'Penstock-Tenant names another tenant than the token is of. Or the service delivers exactly once and takes records ' +
      'from Kafka alone (kafka-only).',
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
  406: NOT_ACCEPTABLE,
  408: BODY_LATE,
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
export type ProblemStatus = keyof typeof PROBLEMS;
