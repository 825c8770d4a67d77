import { FakeClock } from '../../../test/support/fake-clock.js';
import { GUARD_SETTINGS, makeGuard } from '../../../test/support/guard.js';
import { makeRecord } from '../../../test/support/ledger.js';
import type { DestinationGuard } from './destination-guard.js';
import type { Failure } from './failure.js';
import type { GuardedCall } from './guarded-call.js';
import { type Attempts, noAttempts } from './retry-policy.js';

const RETRYABLE: Failure = { kind: 'retryable', message: 'x' };
const OUTAGE: Failure = { kind: 'outage', message: 'x' };
const FINAL: Failure = { kind: 'final', message: 'x' };
const BUSY: Failure = { kind: 'busy', message: 'x', status: 429, retryAfterMs: 5000 };

describe('DestinationGuard', () => {
  let clock: FakeClock;
  let guard: DestinationGuard;
  let opened: number[];
  let stalls: boolean[];

  const make = (options: Parameters<typeof makeGuard>[0] = {}): void => {
    guard = makeGuard({ clock, ...options });
    guard.onOpen(() => opened.push(clock.now()));
    guard.onStalled((isStalled) => stalls.push(isStalled));
  };
  const call = (): GuardedCall => {
    const given = guard.tryCall();
    if (given === undefined) throw new Error('No leave.');
    return given;
  };
  const begun = (): Attempts => {
    const attempts = noAttempts(makeRecord());
    guard.begin(attempts);
    return attempts;
  };
  const fail = (count: number, failure = OUTAGE): void => {
    const calls = Array.from({ length: count }, call);
    for (const each of calls) each.failed(failure);
  };

  beforeEach(() => {
    clock = new FakeClock();
    opened = [];
    stalls = [];
    make();
  });

  it('gives no leave while the breaker is open, and tells when there is leave again (K1, DG5)', () => {
    fail(10);
    expect(guard.mayCall()).toBe(false);
    expect(guard.tryCall()).toBeUndefined();
    clock.advance(999);
    expect(opened).toEqual([]);
    clock.advance(1);
    expect(opened).toEqual([1000]);
    expect(guard.mayCall()).toBe(true);
  });

  it('gives one leave at a time while half-open; three successes close the breaker (K2)', () => {
    fail(10);
    clock.advance(1000);
    for (let i = 0; i < 3; i += 1) {
      const probe = call();
      expect(guard.tryCall()).toBeUndefined();
      probe.succeeded();
    }
    expect(guard.snapshot().breaker.state).toBe('closed');
    expect([call(), call()]).toHaveLength(2);
  });

  it('lets the next record probe when a probe ends with an answer about its record (K3)', () => {
    fail(10);
    clock.advance(1000);
    for (let i = 0; i < 50; i += 1) call().failed(FINAL);
    expect(guard.snapshot().breaker.state).toBe('half-open');
    for (let i = 0; i < 3; i += 1) call().succeeded();
    expect(guard.snapshot().breaker.state).toBe('closed');
  });

  it.each<[string, Failure, boolean]>([
    ['an outage', OUTAGE, true],
    ['a timeout', { ...RETRYABLE, isTimeout: true }, true],
    ['500', { ...RETRYABLE, status: 500 }, true],
    ['503 with Retry-After', { ...BUSY, status: 503 }, true],
    ['429', BUSY, false],
    ['an answer about the record', FINAL, false],
    ['a conflict of transactions', { ...RETRYABLE, isConflict: true }, false],
  ])('counts %s as a failure of the destination: %#', (_, failure, opens) => {
    fail(20, failure);
    expect(guard.snapshot().breaker.state).toBe(opens ? 'open' : 'closed');
  });

  it('counts each call once, whatever is said of it later', () => {
    const late = call();
    late.failed({ ...RETRYABLE, isTimeout: true });
    late.succeeded();
    call().dropped();
    const { calls, callTimes } = guard.snapshot();
    expect(calls).toMatchObject({ timeout: 1, succeeded: 0, dropped: 1 });
    expect(callTimes.count).toBe(2);
  });

  it('closes the gate until the moment a busy destination asks for, for all records (DG2)', () => {
    const [busy, other] = [begun(), begun()];
    expect(guard.failed(busy, BUSY)).toEqual({ kind: 'retry', delayMs: 5000, isHeld: true });
    expect(guard.condition()).toMatchObject({
      state: 'busy',
      detail: 'It asked to be left alone for another 5 s.',
    });
    expect(guard.tryCall()).toBeUndefined();
    guard.failed(other, { ...BUSY, retryAfterMs: 1000 });
    clock.advance(4999);
    expect(guard.mayCall()).toBe(false);
    clock.advance(1);
    expect(opened).toEqual([5000]);
    expect(guard.condition().state).toBe('ready');
    expect(other.record.attempts).toBe(0);
  });

  it('lets no call start while as many are abandoned as may run, and opens the breaker when they ignore their end (DG3)', () => {
    make({ maxAbandoned: 2 });
    guard.abandon();
    expect(guard.mayCall()).toBe(true);
    guard.abandon();
    expect(guard.mayCall()).toBe(false);
    expect(guard.snapshot().breaker.state).toBe('closed');
    clock.advance(100);
    expect(guard.snapshot().breaker.state).toBe('open');
    clock.advance(60_000);
    expect(guard.mayCall()).toBe(false);
    expect(guard.condition()).toMatchObject({
      state: 'away',
      detail: '2 calls have not ended after their timeout.',
    });
    guard.reclaim();
    call().succeeded();
    expect(guard.snapshot()).toMatchObject({
      abandoned: 1,
      abandonedTotal: 2,
      abandonedEnded: 1,
      breaker: { state: 'half-open' },
    });
  });

  it('keeps the breaker closed for calls that end soon after they were told to', () => {
    make({ maxAbandoned: 1 });
    guard.abandon();
    clock.advance(50);
    guard.reclaim();
    clock.advance(1000);
    expect(guard.mayCall()).toBe(true);
    expect(stalls).toEqual([]);
  });

  it('tells the stall from the first opening to the close', () => {
    fail(10);
    clock.advance(1000);
    call().failed(OUTAGE);
    clock.advance(2000);
    for (let i = 0; i < 3; i += 1) {
      expect(stalls).toEqual([true]);
      call().succeeded();
    }
    expect(stalls).toEqual([true, false]);
  });

  it('takes its breaker from the settings', () => {
    const settings = {
      ...GUARD_SETTINGS,
      breakerOpenMs: 10,
      breakerMaxOpenMs: 15,
      breakerFailures: 2,
    };
    make({ settings });
    fail(2);
    const waits: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      waits.push(guard.snapshot().breaker.retryInMs);
      clock.advance(15);
      call().failed(OUTAGE);
    }
    expect(waits).toEqual([10, 15, 15]);
    make({ settings: { ...GUARD_SETTINGS, breakerRatio: 0.5 } });
    for (let i = 0; i < 5; i += 1) call().succeeded();
    fail(5);
    expect(guard.snapshot().breaker.state).toBe('open');
  });

  it('counts what became of failed attempts', () => {
    guard.failed(begun(), OUTAGE);
    guard.failed(begun(), BUSY);
    guard.failed(begun(), RETRYABLE);
    guard.failed(begun(), FINAL);
    guard.failed(begun(), { ...FINAL, reason: 'unsafe-number' });
    expect(guard.snapshot().failedAttempts).toEqual({
      retried: 1,
      'held-outage': 1,
      'held-busy': 1,
      pipeline: 0,
      rejected: 1,
      'attempts-used-up': 0,
      'retry-budget': 0,
      'unsafe-number': 1,
    });
  });

  it('gives no leave and has no timer after the stop', () => {
    make({ maxAbandoned: 1 });
    fail(10);
    guard.mayCall();
    guard.abandon();
    guard.stop();
    guard.stop();
    guard.abandon();
    expect(clock.pendingTimers).toBe(0);
    clock.advance(60_000);
    expect(guard.mayCall()).toBe(false);
    expect(guard.condition().state).toBe('stopped');
  });
});
