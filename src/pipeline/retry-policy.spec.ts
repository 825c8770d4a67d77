import { FakeClock } from '../../test/support/fake-clock.js';
import { makeRecord } from '../../test/support/ledger.js';
import type { Failure } from './failure.js';
import { RetryPolicy } from './retry-policy.js';

function makePolicy(maxAttempts = 3): RetryPolicy {
  return new RetryPolicy({
    stage: 'AsyncEgress',
    destination: 'egress',
    maxAttempts,
    baseDelayMs: 100,
    maxDelayMs: 2000,
    clock: new FakeClock(),
    random: () => 0.5,
  });
}

const retryable: Failure = { kind: 'retryable', message: 'x' };
const timeout: Failure = { ...retryable, isTimeout: true };

describe('RetryPolicy', () => {
  it('counts attempts with the first one included', () => {
    const policy = makePolicy(3);
    const attempts = policy.begin(makeRecord());
    const kinds = [1, 2, 3].map(() => policy.failed(attempts, retryable).kind);
    expect(kinds).toEqual(['retry', 'retry', 'dead-letter']);
  });

  it('takes fifty calls that time out together for an outage, and charges those that time out after a success', () => {
    const policy = makePolicy(1);
    const all = Array.from({ length: 50 }, () => policy.begin(makeRecord()));
    const first = all.map((attempts) => policy.failed(attempts, timeout));
    expect(first.every(({ kind }) => kind === 'retry')).toBe(true);
    policy.succeeded(all[0]!);
    expect(policy.failed(all[1]!, timeout)).toEqual({
      kind: 'dead-letter',
      reason: 'attempts-used-up',
    });
  });

  it.each([401, 403, 502, 503, 504])('takes %d for an outage while nothing succeeds', (status) => {
    const policy = makePolicy(1);
    const attempts = policy.begin(makeRecord());
    expect(policy.failed(attempts, { ...retryable, status })).toMatchObject({
      kind: 'retry',
      isHeld: true,
    });
    expect(attempts.record.attempts).toBe(0);
  });

  it('lets the back-off of an outage go on doubling', () => {
    const policy = makePolicy();
    const attempts = policy.begin(makeRecord());
    const outage: Failure = { kind: 'outage', message: 'x' };
    const delays = Array.from({ length: 7 }, () => policy.failed(attempts, outage));
    expect(delays.map((each) => each.kind === 'retry' && each.delayMs)).toEqual([
      50, 100, 200, 400, 800, 1000, 1000,
    ]);
  });

  it('waits for a busy destination as long as it asks, else for the back-off', () => {
    const policy = makePolicy();
    const attempts = policy.begin(makeRecord());
    const busy: Failure = { kind: 'busy', message: 'x' };
    expect(policy.failed(attempts, { ...busy, retryAfterMs: 7000 })).toMatchObject({
      delayMs: 7000,
    });
    expect(policy.failed(attempts, busy)).toMatchObject({ delayMs: 100 });
    expect(attempts.record.attempts).toBe(0);
  });

  it('remembers the last twenty failures, in text that PostgreSQL can keep', () => {
    const policy = makePolicy(100);
    const attempts = policy.begin(makeRecord());
    for (let i = 0; i < 25; i += 1) policy.failed(attempts, { ...retryable, message: `n${i}` });
    policy.failed(attempts, { ...retryable, message: `a\u0000b\uD800${'c'.repeat(5000)}` });
    const { failures } = attempts.record;
    expect(failures).toHaveLength(20);
    expect(failures?.[0]?.error).toBe('n6');
    expect(failures?.[19]?.error).toMatch(/^a\uFFFDb\uFFFDc+$/);
    expect(failures?.[19]?.error.length).toBe(1000);
  });
});
