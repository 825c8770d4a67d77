import fc from 'fast-check';
import { RetryBudget } from '../../libs/flow-control/src/retry/retry-budget.js';
import { FakeClock } from '../support/fake-clock.js';

const step = fc.record({
  waitMs: fc.oneof(
    fc.constant(0),
    fc.double({ min: 0, max: 1500, noNaN: true }),
    fc.nat({ max: 15_000 }),
  ),
  firstAttempts: fc.oneof(fc.constant(0), fc.nat({ max: 300 })),
  wantedRetries: fc.nat({ max: 60 }),
});

interface Logged {
  readonly second: number;
  readonly firstAttempts: number;
  readonly retries: number;
}

/** Every second ever, summed anew. */
const sumOver = (
  log: readonly Logged[],
  field: 'firstAttempts' | 'retries',
  fromSecond: number,
  toSecond: number,
): number =>
  log
    .filter(({ second }) => second >= fromSecond && second <= toSecond)
    .reduce((sum, logged) => sum + logged[field], 0);

/** Grants as the formula says; returns the log of what was asked and granted. */
function play(
  steps: readonly { waitMs: number; firstAttempts: number; wantedRetries: number }[],
): Logged[] {
  const clock = new FakeClock();
  const budget = new RetryBudget({ clock });
  const log: Logged[] = [];
  for (const { waitMs, firstAttempts, wantedRetries } of steps) {
    clock.advance(waitMs);
    const second = Math.floor(clock.now() / 1000);
    budget.firstAttempt(firstAttempts);
    log.push({ second, firstAttempts, retries: 0 });
    for (let i = 0; i < wantedRetries; i++) {
      const first = sumOver(log, 'firstAttempts', second - 9, second);
      const retries = sumOver(log, 'retries', second - 9, second);
      const isDue = Math.floor(0.2 * first + 1e-9) + 30 - retries >= 1;
      expect(budget.tryRetry()).toBe(isDue);
      if (isDue) log.push({ second, firstAttempts: 0, retries: 1 });
    }
  }
  return log;
}

const steps = fc.array(step, { maxLength: 25 });

describe('RetryBudget', () => {
  it('grants exactly what the formula over a full log grants', () => {
    fc.assert(fc.property(steps, (played) => void play(played)));
  });

  it('keeps attempts within 1.2 × first attempts + 3/s over the ten seconds before any grant (G1)', () => {
    fc.assert(
      fc.property(steps, (played) => {
        const log = play(played);
        log.forEach(({ retries, second }, i) => {
          if (retries === 0) return;
          const soFar = log.slice(0, i + 1);
          const first = sumOver(soFar, 'firstAttempts', second - 9, second);
          const granted = sumOver(soFar, 'retries', second - 9, second);
          expect(first + granted).toBeLessThanOrEqual(1.2 * first + 30 + 1e-6);
        });
      }),
    );
  });

  it('lets no burst of retries through that first attempts of the nine seconds before do not pay for', () => {
    fc.assert(
      fc.property(steps, (played) => {
        const log = play(played);
        for (const { second } of log) {
          const retries = sumOver(log, 'retries', second - 9, second);
          const first = sumOver(log, 'firstAttempts', second - 18, second);
          expect(retries).toBeLessThanOrEqual(0.2 * first + 30 + 1e-6);
        }
      }),
    );
  });
});
