import {
  CreditQueueFullError,
  CreditWaitAbortedError,
  CreditWaitTimeoutError,
  PoolClosedError,
  SemaphoreFullError,
  SemaphoreWaitAbortedError,
  SemaphoreWaitTimeoutError,
} from '#libs/flow-control';
import { CapacityExhaustedError } from './errors/capacity-exhausted.error.js';
import { IntakeClosedError } from './errors/intake-closed.error.js';
import { RateLimitedError } from './errors/rate-limited.error.js';
import { problemHeaders, problemOf } from './problem.js';

const REDUCED = '/problems/temporary-reduced-capacity';
const wait = { pool: 'KeyGen', count: 1, waitedMs: 200 };

describe('problemOf', () => {
  it.each<[Error, number, string, string]>([
    [
      new CapacityExhaustedError({ stage: 'FinalSink', signal: 'credit', retryAfterMs: 1000 }),
      429,
      REDUCED,
      'credit',
    ],
    [
      new RateLimitedError({ stage: 'Gateway', retryAfterMs: 10.5 }),
      429,
      '/problems/quota-exceeded',
      'rate',
    ],
    [new IntakeClosedError({ reason: 'storage-low' }), 503, '/problems/storage-low', 'storage-low'],
    [new CreditQueueFullError({ pool: 'KeyGen', waiting: 3 }), 429, REDUCED, 'queue'],
    [new CreditWaitTimeoutError(wait), 429, REDUCED, 'credit'],
    [new SemaphoreFullError({ semaphore: 's', capacity: 1, queued: 1 }), 429, REDUCED, 'queue'],
    [new SemaphoreWaitTimeoutError({ semaphore: 's', waitedMs: 1 }), 429, REDUCED, 'permit'],
    [new PoolClosedError('KeyGen'), 503, '/problems/draining', 'draining'],
    [
      new CreditWaitAbortedError({ ...wait, reason: undefined }),
      503,
      '/problems/cancelled',
      'cancelled',
    ],
    [
      new SemaphoreWaitAbortedError({ semaphore: 's', waitedMs: 1, reason: undefined }),
      503,
      '/problems/cancelled',
      'cancelled',
    ],
  ])('answers %p with %d %s', (error, status, type, signal) => {
    const problem = problemOf(error, () => 0);
    expect(problem).toMatchObject({ status, type, signal, detail: error.message });
    expect(problem?.retryAfterMs).toBeGreaterThanOrEqual(1000);
  });

  it('says all that the error knows', () => {
    const error = new CapacityExhaustedError({
      stage: 'FinalSink',
      signal: 'credit',
      pressure: 0.81,
      retryAfterMs: 2000,
      detail: 'no room',
    });
    const problem = problemOf(error, () => 0.5);
    expect(problem).toEqual({
      type: REDUCED,
      title: 'No capacity at the moment',
      status: 429,
      detail: 'no room',
      stage: 'FinalSink',
      signal: 'credit',
      pressure: 0.81,
      retryAfterMs: 3000,
    });
    expect(problem && problemHeaders(problem)).toEqual({
      'content-type': 'application/problem+json',
      'retry-after': '3',
    });
  });

  it('needs no random source of its own', () => {
    const { retryAfterMs } = problemOf(new IntakeClosedError({ reason: 'paused' })) ?? {};
    expect(retryAfterMs).toBeGreaterThanOrEqual(5000);
    expect(retryAfterMs).toBeLessThanOrEqual(8000);
  });

  it('has no Retry-After for a problem that time does not cure', () => {
    const problem = { type: '/problems/x', title: 'x', status: 400, detail: 'x' };
    expect(problemHeaders(problem)).toEqual({ 'content-type': 'application/problem+json' });
  });

  it('leaves the errors of others alone', () => {
    expect(problemOf(new Error('defect'))).toBeUndefined();
    expect(problemOf('text')).toBeUndefined();
  });
});

describe('the errors', () => {
  it('carry a code, their name and whether the record may be sent again', () => {
    const details = { stage: 'Gateway', signal: 'rate', retryAfterMs: 1 };
    expect(new CapacityExhaustedError(details)).toMatchObject({
      name: 'CapacityExhaustedError',
      code: 'BP_CAPACITY_EXHAUSTED',
      retryable: true,
    });
    expect(new RateLimitedError(details).code).toBe('BP_RATE_LIMITED');
    expect(new IntakeClosedError({ reason: 'paused' })).toMatchObject({
      code: 'BP_INTAKE_CLOSED',
      stage: 'Gateway',
      pressure: undefined,
    });
  });
});
