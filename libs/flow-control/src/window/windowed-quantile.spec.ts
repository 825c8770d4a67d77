import { FakeClock } from '../../../../test/support/fake-clock.js';
import { WindowedQuantile } from './windowed-quantile.js';

describe('WindowedQuantile', () => {
  let clock: FakeClock;
  let latency: WindowedQuantile;

  beforeEach(() => {
    clock = new FakeClock();
    clock.advance(1_002_000);
    latency = new WindowedQuantile({ clock });
  });

  it('is 0 without values', () => {
    expect(latency.quantile(0.9)).toBe(0);
  });

  it('holds a value for at least 5 s and at most 10 s', () => {
    latency.record(100);
    clock.advance(5000);
    expect(latency.quantile(0.9)).toBe(100);
    clock.advance(5000);
    expect(latency.quantile(0.9)).toBe(0);
  });

  it('covers the half before after a turn', () => {
    latency.record(10);
    clock.advance(4000);
    latency.record(1000);

    expect(latency.quantile(0.5)).toBe(10);
    expect(latency.quantile(1)).toBe(1000);
    clock.advance(4000);
    expect(latency.quantile(0)).toBe(1000);
  });

  it('forgets everything after a long silence', () => {
    latency.record(100);
    clock.advance(60_000);
    latency.record(10);

    expect(latency.quantile(1)).toBe(10);
    clock.advance(5000);
    expect(latency.quantile(1)).toBe(10);
  });
});
