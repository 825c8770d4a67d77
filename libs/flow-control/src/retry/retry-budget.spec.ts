import { FakeClock } from '../../../../test/support/fake-clock.js';
import { RetryBudget } from './retry-budget.js';

describe('RetryBudget', () => {
  let clock: FakeClock;
  let budget: RetryBudget;
  const retries = (count: number): number => {
    let granted = 0;
    for (let i = 0; i < count; i++) if (budget.tryRetry()) granted += 1;
    return granted;
  };

  beforeEach(() => {
    clock = new FakeClock();
    budget = new RetryBudget({ clock });
  });

  it('grants one more after 1 000 first attempts and 229 retries, and none after 230 (G1)', () => {
    budget.firstAttempt(1000);

    expect(retries(229)).toBe(229);
    expect(budget.tryRetry()).toBe(true);
    expect(budget.tryRetry()).toBe(false);
    expect(budget.snapshot()).toEqual({
      firstAttempts: 1000,
      retries: 230,
      available: 0,
      refused: 1,
    });
  });

  it('grants an idle destination 30 retries in 10 s (G1)', () => {
    expect(retries(100)).toBe(30);
    clock.advance(9_999);
    expect(retries(100)).toBe(0);
    clock.advance(1);
    expect(retries(100)).toBe(30);
  });

  it('earns whole retries only', () => {
    retries(30);
    for (let i = 0; i < 4; i++) budget.firstAttempt();
    expect(budget.tryRetry()).toBe(false);
    budget.firstAttempt();
    expect(budget.tryRetry()).toBe(true);
  });

  it('has nothing available, not less, when first attempts age out before the retries', () => {
    budget.firstAttempt(1000);
    clock.advance(5000);
    retries(230);
    clock.advance(5000);

    expect(budget.snapshot()).toMatchObject({ firstAttempts: 0, retries: 230, available: 0 });
  });

  it('takes its two rates from the options, and loses no retry by rounding', () => {
    budget = new RetryBudget({ ratio: 0.29, minPerSecond: 0, clock });
    budget.firstAttempt(100);

    expect(budget.snapshot().available).toBe(29);
    expect(retries(100)).toBe(29);
  });
});
