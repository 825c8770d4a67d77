import { FakeClock } from '../../../../test/support/fake-clock.js';
import { SlidingCounter, SlidingRatio } from './sliding-window.js';

const HOUR_SECONDS = 3600;

describe('SlidingRatio', () => {
  let clock: FakeClock;
  let results: SlidingRatio;

  beforeEach(() => {
    clock = new FakeClock();
    results = new SlidingRatio({ clock });
  });

  it('reads at least 0.9 after one hour of success and ten seconds of failure', () => {
    for (let second = 0; second < HOUR_SECONDS; second++) {
      results.success(100);
      clock.advance(1000);
    }
    expect(results.ratio()).toBe(0);
    for (let second = 0; second < 10; second++) {
      results.failure(100);
      clock.advance(1000);
    }

    expect(results.ratio()).toBeGreaterThanOrEqual(0.9);
  });

  it('counts each result once', () => {
    results.success();
    results.failure();
    results.failure(2);

    expect(results.total()).toBe(4);
    expect(results.failures()).toBe(3);
    expect(results.ratio(4)).toBe(0.75);
  });

  it('says 0 below ten results', () => {
    results.failure(9);
    expect(results.ratio()).toBe(0);
    results.failure();
    expect(results.ratio()).toBe(1);
  });

  it('says 0 without results, whatever the minimum', () => {
    expect(results.ratio(0)).toBe(0);
  });

  it('forgets by the clock alone, and at once when told', () => {
    results.failure(20);
    clock.advance(9_999);
    expect(results.total()).toBe(20);
    clock.advance(1);
    expect(results.total()).toBe(0);

    results.failure(20);
    results.success(20);
    results.reset();
    expect(results.total()).toBe(0);
  });
});

describe('SlidingCounter', () => {
  let clock: FakeClock;
  let counter: SlidingCounter;

  beforeEach(() => {
    clock = new FakeClock();
    counter = new SlidingCounter({ clock });
  });

  it('sums the current second and the nine before', () => {
    for (let second = 1; second <= 30; second++) {
      counter.add(second);
      if (second < 30) clock.advance(1000);
    }

    expect(counter.sum()).toBe(21 + 22 + 23 + 24 + 25 + 26 + 27 + 28 + 29 + 30);
  });

  it('reads a steady rate in any phase of a second', () => {
    const tick = (): void => {
      clock.advance(10);
      counter.add();
    };
    for (let i = 0; i < 100; i++) tick();
    for (let i = 0; i < 2000; i++) {
      tick();
      expect(Math.abs(counter.perSecond() - 100)).toBeLessThan(1.2);
    }
  });

  it('reads the rate of a young counter over its age, at least one second', () => {
    clock.advance(1_000_000);
    counter = new SlidingCounter({ clock });
    counter.add(30);
    expect(counter.perSecond()).toBe(30);
    clock.advance(3000);
    expect(counter.perSecond()).toBe(10);
  });
});
