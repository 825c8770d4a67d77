import { FakeClock } from '../../../test/support/fake-clock.js';
import { makeRecord } from '../../../test/support/ledger.js';
import type { OutagePolicy } from './destination-guard.options.js';
import type { Failure } from './failure.js';
import { type Attempts, noAttempts, RetryPolicy } from './retry-policy.js';

function makePolicy(maxAttempts = 3, outagePolicy: OutagePolicy = 'hold'): RetryPolicy {
  return new RetryPolicy({
    stage: 'AsyncEgress',
    destination: 'egress',
    maxAttempts,
    baseDelayMs: 100,
    maxDelayMs: 2000,
    outagePolicy,
    clock: new FakeClock(),
    random: () => 0.5,
  });
}

function begun(policy: RetryPolicy): Attempts {
  const attempts = noAttempts(makeRecord());
  policy.begin(attempts);
  return attempts;
}

const retryable: Failure = { kind: 'retryable', message: 'x' };
const timeout: Failure = { ...retryable, isTimeout: true };

describe('RetryPolicy', () => {
  it('counts attempts with the first one included', () => {
    const policy = makePolicy(3);
    const attempts = begun(policy);
    const kinds = [1, 2, 3].map(() => policy.failed(attempts, retryable).kind);
    expect(kinds).toEqual(['retry', 'retry', 'dead-letter']);
  });

  it('takes fifty calls that time out together for an outage, and charges those that time out after a success', () => {
    const policy = makePolicy(1);
    const all = Array.from({ length: 50 }, () => begun(policy));
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
    const attempts = begun(policy);
    expect(policy.failed(attempts, { ...retryable, status })).toMatchObject({
      kind: 'retry',
      isHeld: true,
    });
    expect(attempts.record.attempts).toBe(0);
  });

  it('lets the back-off of an outage go on doubling', () => {
    const policy = makePolicy();
    const attempts = begun(policy);
    const outage: Failure = { kind: 'outage', message: 'x' };
    const delays = Array.from({ length: 7 }, () => policy.failed(attempts, outage));
    expect(delays.map((each) => each.kind === 'retry' && each.delayMs)).toEqual([
      50, 100, 200, 400, 800, 1000, 1000,
    ]);
  });

  it('waits for a busy destination as long as it asks, else for the back-off', () => {
    const policy = makePolicy();
    const attempts = begun(policy);
    const busy: Failure = { kind: 'busy', message: 'x' };
    expect(policy.failed(attempts, { ...busy, retryAfterMs: 7000 })).toMatchObject({
      delayMs: 7000,
    });
    expect(policy.failed(attempts, busy)).toMatchObject({ delayMs: 100 });
    expect(attempts.record.attempts).toBe(0);
  });

  it('charges every failure of an outage under the policy dead-letter, and a retry of the budget', () => {
    const policy = makePolicy(3, 'dead-letter');
    const outage: Failure = { kind: 'outage', message: 'x' };
    const attempts = begun(policy);
    const followed = [1, 2, 3].map(() => policy.failed(attempts, outage));
    expect(followed.slice(0, 2)).toMatchObject([{ isHeld: false }, { isHeld: false }]);
    expect(followed[2]).toEqual({ kind: 'dead-letter', reason: 'attempts-used-up' });
    expect(attempts.record.attempts).toBe(3);
    expect(policy.budgetSnapshot()).toMatchObject({ retries: 2 });
  });

  it('gives a record up when the budget of 20 % and 3/s is empty (G1)', () => {
    const policy = makePolicy(3);
    policy.firstAttempts(100);
    const ends = Array.from({ length: 51 }, () => policy.failed(begun(policy), retryable));
    expect(ends.slice(0, 50).every(({ kind }) => kind === 'retry')).toBe(true);
    expect(ends[50]).toEqual({ kind: 'dead-letter', reason: 'retry-budget' });
    expect(policy.failedAttempts).toMatchObject({ retried: 50, 'retry-budget': 1 });
  });

  it('takes nothing from the budget for an outage, a busy destination, or the last attempt', () => {
    const policy = makePolicy(1);
    const attempts = begun(policy);
    policy.failed(attempts, { kind: 'outage', message: 'x' });
    policy.failed(attempts, { kind: 'busy', message: 'x' });
    policy.failed(attempts, retryable);
    expect(policy.budgetSnapshot()).toMatchObject({ retries: 0, refused: 0 });
  });

  it('remembers the last twenty failures, in text that PostgreSQL can keep', () => {
    const policy = makePolicy(100);
    const attempts = begun(policy);
    for (let i = 0; i < 25; i += 1) policy.failed(attempts, { ...retryable, message: `n${i}` });
    policy.failed(attempts, { ...retryable, message: `a\u0000b\uD800${'c'.repeat(5000)}` });
    const { failures } = attempts.record;
    expect(failures).toHaveLength(20);
    expect(failures?.[0]?.error).toBe('n6');
    expect(failures?.[19]?.error).toMatch(/^a\uFFFDb\uFFFDc+$/);
    expect(failures?.[19]?.error.length).toBe(1000);
  });
});
