import {
  CreditQueueFullError,
  CreditWaitAbortedError,
  CreditWaitTimeoutError,
  PoolClosedError,
  type RandomSource,
  SemaphoreFullError,
  SemaphoreWaitAbortedError,
  SemaphoreWaitTimeoutError,
} from '#libs/flow-control';
import { CapacityExhaustedError } from './errors/capacity-exhausted.error.js';
import { IntakeClosedError } from './errors/intake-closed.error.js';
import { RateLimitedError } from './errors/rate-limited.error.js';
import { jitteredSeconds } from './retry-after.js';

/** RFC 9457, with what a refused caller wants to know. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly stage?: string;
  readonly signal?: string;
  readonly pressure?: number;
  /** Jittered, whole seconds; `Retry-After` says the same. */
  readonly retryAfterMs?: number;
}

type ErrorClass = abstract new (...args: never[]) => Error;

interface Row {
  readonly of: ErrorClass;
  readonly status: 429 | 503;
  /** Last part of the type; absent: the error's own reason. */
  readonly type?: string;
  readonly title: string;
  /** Absent: the error's own. */
  readonly signal?: string;
}

const REDUCED = { type: 'temporary-reduced-capacity', title: 'No capacity at the moment' } as const;
const CLOSED = { title: 'No records are accepted' } as const;

/** THE table: what an error of back-pressure is over HTTP. The first row that fits counts. */
const TABLE: readonly Row[] = [
  { of: CapacityExhaustedError, status: 429, ...REDUCED },
  { of: RateLimitedError, status: 429, type: 'quota-exceeded', title: 'Too many records' },
  { of: IntakeClosedError, status: 503, ...CLOSED },
  { of: CreditQueueFullError, status: 429, ...REDUCED, signal: 'queue' },
  { of: CreditWaitTimeoutError, status: 429, ...REDUCED, signal: 'credit' },
  { of: SemaphoreFullError, status: 429, ...REDUCED, signal: 'queue' },
  { of: SemaphoreWaitTimeoutError, status: 429, ...REDUCED, signal: 'permit' },
  { of: PoolClosedError, status: 503, ...CLOSED, type: 'draining', signal: 'draining' },
  // The caller has gone, or the service stops: nobody reads it, but it must not look like a defect.
  { of: CreditWaitAbortedError, status: 503, ...CLOSED, type: 'cancelled', signal: 'cancelled' },
  { of: SemaphoreWaitAbortedError, status: 503, ...CLOSED, type: 'cancelled', signal: 'cancelled' },
];

const MS_PER_SECOND = 1000;

/** What an error's fields add, whatever its class. */
type Facts = Partial<
  Record<'stage' | 'signal' | 'pool' | 'reason', string> &
    Record<'pressure' | 'retryAfterMs', number>
>;

/** The problem document of an error of back-pressure; undefined for any other error. */
export function problemOf(
  error: unknown,
  random: RandomSource = Math.random,
): ProblemDocument | undefined {
  const row = TABLE.find(({ of }) => error instanceof of);
  if (row === undefined || !(error instanceof Error)) return undefined;
  const facts = error as Error & Facts;
  const stage = facts.stage ?? facts.pool;
  const signal = row.signal ?? facts.signal;
  return {
    type: `/problems/${row.type ?? facts.reason}`,
    title: row.title,
    status: row.status,
    detail: error.message,
    ...(stage === undefined ? {} : { stage }),
    ...(signal === undefined ? {} : { signal }),
    ...(facts.pressure === undefined ? {} : { pressure: facts.pressure }),
    retryAfterMs: jitteredSeconds(facts.retryAfterMs ?? 0, random) * MS_PER_SECOND,
  };
}

/** The headers that go with a problem document. */
export function problemHeaders({ retryAfterMs }: ProblemDocument): Record<string, string> {
  return {
    'content-type': 'application/problem+json',
    ...(retryAfterMs === undefined
      ? {}
      : { 'retry-after': String(Math.ceil(retryAfterMs / MS_PER_SECOND)) }),
  };
}
