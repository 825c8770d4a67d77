import { FakeClock } from '../../../../test/support/fake-clock.js';
import { type BreakerState, CircuitBreaker, type Ticket } from './circuit-breaker.js';

describe('CircuitBreaker', () => {
  let clock: FakeClock;
  let share: number;
  let changes: BreakerState[];
  let breaker: CircuitBreaker;

  const call = (): Ticket => {
    const ticket = breaker.tryCall();
    if (ticket === undefined) throw new Error(`No ticket in state ${breaker.state}.`);
    return ticket;
  };
  const create = (overrides: { failures?: number; ratio?: number; jitterRatio?: number } = {}) => {
    const created = new CircuitBreaker({
      openMs: 1000,
      maxOpenMs: 30_000,
      failures: 20,
      ratio: 0.7,
      clock,
      random: () => share,
      ...overrides,
    });
    created.watch((state) => changes.push(state));
    return created;
  };
  const fail = (count: number): void => {
    const tickets = Array.from({ length: count }, call);
    for (const ticket of tickets) ticket.failure();
  };
  /** Half-open, with the next ticket as its probe. */
  const becomeHalfOpen = (): void => {
    fail(20);
    clock.advance(breaker.retryInMs());
  };

  beforeEach(() => {
    clock = new FakeClock();
    share = 0.5;
    changes = [];
    breaker = create();
  });

  it('probes a failing destination at 1, 3, 7, 15, 31, 61 and 91 s, closes after three successes and then opens for 1 s again', () => {
    fail(20);
    const probesAt: number[] = [];
    while (clock.now() < 91_000) {
      clock.advance(breaker.retryInMs());
      probesAt.push(clock.now());
      if (clock.now() < 91_000) call().failure();
    }
    expect(probesAt).toEqual([1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000]);

    for (let i = 0; i < 3; i++) {
      expect(breaker.state).not.toBe('closed');
      call().success();
    }
    expect(breaker.state).toBe('closed');
    fail(20);
    expect(breaker.retryInMs()).toBe(1000);
  });

  it('opens after 20 failures in a row, however slowly they come', () => {
    for (let i = 0; i < 20; i++) {
      expect(breaker.state).toBe('closed');
      call().failure();
      clock.advance(5000);
    }

    expect(changes).toEqual(['open']);
  });

  it('starts counting failures in a row anew after a success', () => {
    for (let i = 0; i < 60; i++) {
      const ticket = call();
      if (i % 20 === 19) ticket.success();
      else ticket.failure();
      clock.advance(5000);
    }

    expect(breaker.state).toBe('closed');
  });

  it('opens at a failure ratio of 0.7 over ten results, not before the tenth', () => {
    for (let i = 0; i < 3; i++) call().success();
    for (let i = 0; i < 6; i++) call().failure();
    expect(breaker.state).toBe('closed');
    call().failure();
    expect(breaker.state).toBe('open');
  });

  it('takes both thresholds from its options', () => {
    breaker = create({ failures: 3 });
    fail(3);
    expect(breaker.state).toBe('open');

    breaker = create({ ratio: 0.5 });
    for (let i = 0; i < 5; i++) call().success();
    fail(5);
    expect(breaker.state).toBe('open');
  });

  it('gives no ticket while open (K1)', () => {
    fail(20);
    expect(breaker.tryCall()).toBeUndefined();
    clock.advance(999);
    expect(breaker.tryCall()).toBeUndefined();
    expect(breaker.retryInMs()).toBe(1);
    clock.advance(1);
    expect(breaker.retryInMs()).toBe(0);
    expect(breaker.state).toBe('open');
    expect(breaker.tryCall()).toBeDefined();
    expect(breaker.state).toBe('half-open');
  });

  it('gives one ticket at a time in half-open (K2)', () => {
    becomeHalfOpen();
    const probe = call();

    expect(breaker.tryCall()).toBeUndefined();
    expect(breaker.retryInMs()).toBe(1000);
    probe.success();
    expect(breaker.retryInMs()).toBe(0);
    expect(breaker.tryCall()).toBeDefined();
  });

  it('lets the next record probe after a neutral answer, and stays half-open (K3)', () => {
    becomeHalfOpen();
    call().success();
    call().success();
    call().neutral();
    expect(breaker.state).toBe('half-open');
    call().success();
    expect(breaker.state).toBe('closed');
  });

  it('counts a neutral result neither as success nor as failure (K3)', () => {
    for (let i = 0; i < 19; i++) {
      call().failure();
      clock.advance(5000);
      call().neutral();
    }
    expect(breaker.snapshot()).toMatchObject({ state: 'closed', consecutiveFailures: 19 });
    call().failure();
    expect(breaker.state).toBe('open');
  });

  it('counts each ticket once', () => {
    const ticket = call();
    ticket.failure();
    ticket.failure();
    ticket.success();

    expect(breaker.snapshot()).toMatchObject({
      results: 1,
      consecutiveFailures: 1,
      failureRatio: 1,
    });
  });

  it('ignores late results of calls from before it opened', () => {
    const late = Array.from({ length: 3 }, call);
    becomeHalfOpen();
    const probe = call();
    late[0]?.failure();
    expect(breaker.state).toBe('half-open');
    expect(breaker.tryCall()).toBeUndefined();
    probe.success();
    call().success();
    call().success();
    late[1]?.failure();
    expect(breaker.snapshot()).toEqual({
      state: 'closed',
      consecutiveFailures: 0,
      results: 0,
      failureRatio: 0,
      retryInMs: 0,
      opened: 1,
    });
  });

  it.each([
    [0, 800],
    [0.5, 1000],
    [0.999_999, 1200],
  ])('varies the open time by 20 %% either way: draw %d, %i ms', (drawn, expectedMs) => {
    share = drawn;
    fail(20);

    expect(breaker.retryInMs()).toBeCloseTo(expectedMs, 2);
  });

  it('takes the jitter from its options', () => {
    share = 0;
    breaker = create({ jitterRatio: 0 });
    fail(20);

    expect(breaker.retryInMs()).toBe(1000);
  });

  it('tells each change once', () => {
    becomeHalfOpen();
    call().failure();
    clock.advance(2000);
    for (let i = 0; i < 3; i++) call().success();

    expect(changes).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
  });

  it('tells every watcher', () => {
    const others: BreakerState[] = [];
    breaker.watch((state) => others.push(state));
    fail(20);
    expect(others).toEqual(['open']);
  });

  it('opens at once when it is tripped, and probes as after any opening', () => {
    const late = call();
    breaker.trip();
    expect(breaker.tryCall()).toBeUndefined();
    expect(breaker.retryInMs()).toBe(1000);
    breaker.trip();
    expect(breaker.snapshot()).toMatchObject({ state: 'open', opened: 1 });
    clock.advance(1000);
    late.success();
    const probe = call();
    breaker.trip();
    expect(breaker.retryInMs()).toBe(2000);
    clock.advance(2000);
    probe.failure();
    call().success();
    expect(breaker.state).toBe('half-open');
  });
});
