import { creditFactor, throttleDelayMs } from './reactions.js';

const THRESHOLDS = { moderate: 0.6, high: 0.8, critical: 0.9 };

describe('creditFactor', () => {
  it.each([
    [0, 0.5, 1],
    [0.299, 0.5, 1],
    [0.3, 0.5, 0.5],
    [0.3, 0.8, 0.8],
    [0.45, 1, 1],
    [0.599, 0.5, 0.5],
    [0.6, 1, 0.8],
    [0.7, 0.5, 0.8],
    [0.8, 1, 0.5],
    [0.9, 1, 0.5],
    [1, 0.8, 0.5],
  ])('at pressure %d and factor %d is %d', (own, present, factor) => {
    expect(creditFactor(own, present, THRESHOLDS)).toBe(factor);
  });

  it('follows the configured thresholds', () => {
    const low = { moderate: 0.2, high: 0.4, critical: 0.5 };
    expect(creditFactor(0.2, 1, low)).toBe(0.8);
    expect(creditFactor(0.4, 1, low)).toBe(0.5);
    expect(creditFactor(0.1, 0.5, low)).toBe(0.5);
    expect(creditFactor(0.09, 0.5, low)).toBe(1);
  });
});

describe('throttleDelayMs', () => {
  it.each([
    [0.59, 0],
    [0.6, 20],
    [0.656, 20],
    [0.7, 20],
    [0.8, 50],
    [0.9, 100],
    [1, 100],
  ])('at effective pressure %d is %d ms', (effective, delayMs) => {
    expect(throttleDelayMs(effective, false, THRESHOLDS)).toBe(delayMs);
  });

  it('is at least 20 ms while the trigger is raised', () => {
    expect(throttleDelayMs(0.1, true, THRESHOLDS)).toBe(20);
    expect(throttleDelayMs(0.85, true, THRESHOLDS)).toBe(50);
  });
});
