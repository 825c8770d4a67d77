import { fullJitterBackoff } from './backoff.js';

const backoffAt = (share: number) =>
  fullJitterBackoff({ baseMs: 100, maxMs: 2000, random: () => share });

describe('fullJitterBackoff', () => {
  it('doubles the range from the first attempt up to the maximum', () => {
    const half = backoffAt(0.5);

    expect([1, 2, 3, 4, 5, 6, 50, 5000].map((attempt) => half.delayMs(attempt))).toEqual([
      50, 100, 200, 400, 800, 1000, 1000, 1000,
    ]);
  });

  it('draws from the whole range, zero included', () => {
    expect(backoffAt(0).delayMs(3)).toBe(0);
    expect(backoffAt(0.999).delayMs(1)).toBeCloseTo(99.9);
  });

  it('lasts at most 300 ms over the two retries of three attempts', () => {
    const longest = backoffAt(1);

    expect(longest.delayMs(1) + longest.delayMs(2)).toBe(300);
  });
});
