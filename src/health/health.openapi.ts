import { applyDecorators } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { z } from 'zod';
import { DescribeAnswer } from '../openapi/describe.js';

const checkSchema = z.looseObject({
  status: z.enum(['up', 'down', 'degraded']),
  message: z.string().optional().describe('Why, in a sentence.'),
});
const checksSchema = z.record(z.string(), checkSchema);

const healthSchema = z.object({
  status: z.enum(['ok', 'degraded', 'error', 'shutting_down']),
  info: checksSchema.optional().describe('The checks that are up or degraded.'),
  error: checksSchema.optional().describe('The checks that are down.'),
  details: checksSchema.describe('Every check.'),
});

const liveSchema = z.object({ status: z.literal('ok') });

interface Described {
  readonly summary: string;
  readonly up: string;
  readonly down: string;
  /** A check that is up, and the same when it is down. */
  readonly example: readonly [object, object];
}

/** Documents a route that answers 503 when one of its checks is down. */
export function DescribeHealth({ summary, up, down, example }: Described): MethodDecorator {
  const [info, error] = example;
  return applyDecorators(
    ApiOperation({ summary }),
    DescribeAnswer({
      description: up,
      schema: healthSchema,
      example: { status: 'ok', info, error: {}, details: info },
    }),
    DescribeAnswer({
      status: 503,
      description: down,
      schema: healthSchema,
      example: { status: 'error', info: {}, error, details: error },
    }),
  );
}

/** Documents `GET /health/live`. */
export function DescribeLive(): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      summary: 'The process turns. Never fails on overload, nor while it drains.',
    }),
    DescribeAnswer({ description: 'Alive.', schema: liveSchema, example: { status: 'ok' } }),
  );
}
