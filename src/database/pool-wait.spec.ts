import { FakeClock } from '../../test/support/fake-clock.js';
import { PoolWait } from './pool-wait.js';

describe('PoolWait', () => {
  const clock = new FakeClock();
  const wait = new PoolWait(clock);
  const waitFor = (ms: number): void => {
    const end = wait.begin();
    clock.advance(ms);
    end();
  };

  it('is 0 before anybody waited', () => {
    expect(wait.p90Ms).toBe(0);
  });

  it('is the 90th percentile of the waits that ended', () => {
    for (let i = 0; i < 20; i += 1) waitFor(i < 15 ? 0 : 100);
    expect(wait.p90Ms).toBeGreaterThan(50);
    expect(wait.p90Ms).toBeLessThanOrEqual(128);
  });

  it('is the age of a wait that does not end, when that is longer', () => {
    const end = wait.begin();
    clock.advance(3000);
    expect(wait.p90Ms).toBe(3000);
    end();
    end();
  });

  it('forgets what was more than 10 s ago', () => {
    clock.advance(20_000);
    expect(wait.p90Ms).toBe(0);
  });
});
