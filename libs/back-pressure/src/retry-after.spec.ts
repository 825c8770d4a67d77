import { jitteredSeconds, serviceTimeMs } from './retry-after.js';

describe('Retry-After', () => {
  it('is the time until those ahead have been served', () => {
    expect(serviceTimeMs(400, 200)).toBe(2000);
    expect(serviceTimeMs(401, 200)).toBe(3000);
  });

  it('is at least 1 s, and at most 30 s, also when nothing comes out', () => {
    expect(serviceTimeMs(0, 0)).toBe(1000);
    expect(serviceTimeMs(1, 1000)).toBe(1000);
    expect(serviceTimeMs(5, 0)).toBe(30_000);
  });

  it('is jittered by 1 to 1.5 and rounded up: 400 ahead at 200/s are told 2 or 3 s', () => {
    expect(jitteredSeconds(2000, () => 0)).toBe(2);
    expect(jitteredSeconds(2000, () => 0.001)).toBe(3);
    expect(jitteredSeconds(2000, () => 0.999)).toBe(3);
  });

  it('never tells less than asked for, nor more than 30 s', () => {
    expect(jitteredSeconds(1001, () => 0)).toBe(2);
    expect(jitteredSeconds(0, () => 0)).toBe(1);
    expect(jitteredSeconds(25_000, () => 0.9)).toBe(30);
  });
});
