import { SlowStart } from './slow-start.js';

describe('SlowStart', () => {
  it('has no ceiling before a stall', () => {
    const slowStart = new SlowStart('FinalSink', 2500, 250);
    expect(slowStart.active).toBe(false);
    expect(slowStart.ceiling(5000)).toBe(Infinity);
  });

  it('rises from one credit at the replenish rate: 250 after 1 s, 1 000 after 4 s, open after 10 s', () => {
    const slowStart = new SlowStart('FinalSink', 2500, 250);
    slowStart.declare(true, 0, 0);
    expect(slowStart.active).toBe(false);
    slowStart.declare(false, 60_000, 0);
    expect(slowStart.ceiling(60_000)).toBe(1);
    expect(slowStart.ceiling(61_000)).toBe(250);
    expect(slowStart.ceiling(64_000)).toBe(1000);
    expect(slowStart.ceiling(69_996)).toBe(2499);
    expect(slowStart.ceiling(70_000)).toBe(Infinity);
    expect(slowStart.active).toBe(false);
  });

  it.each([
    [1000, 100],
    [2000, 200],
    [1500, 150],
    [3000, 300],
    [2500, 250],
  ])('opens a pool of %i at %i/s in 10 s', (capacity, perSecond) => {
    const slowStart = new SlowStart('x', capacity, perSecond);
    slowStart.declare(true, 0, 0);
    slowStart.declare(false, 0, 0);
    expect(slowStart.ceiling(9990)).toBeLessThan(capacity);
    expect(slowStart.ceiling(10_000)).toBe(Infinity);
  });

  it('takes 1 s without a completion for a stall, which the next completion ends', () => {
    const slowStart = new SlowStart('x', 100, 10);
    slowStart.began(0);
    slowStart.completed(999, 50);
    expect(slowStart.active).toBe(false);
    slowStart.completed(1999, 40);
    expect(slowStart.ceiling(1999)).toBe(40);
    expect(slowStart.ceiling(2499)).toBe(45);
  });

  it('counts silence from the first credit of an empty pool', () => {
    const slowStart = new SlowStart('x', 100, 10);
    slowStart.began(5000);
    slowStart.completed(5999, 1);
    expect(slowStart.active).toBe(false);
  });

  it('is not ended by a completion inside a declared stall', () => {
    const slowStart = new SlowStart('x', 100, 10);
    slowStart.began(0);
    slowStart.declare(true, 0, 9);
    slowStart.completed(5000, 9);
    expect(slowStart.active).toBe(false);
    slowStart.declare(false, 8000, 3);
    expect(slowStart.ceiling(8000)).toBe(3);
    slowStart.completed(8500, 3);
    expect(slowStart.ceiling(8500)).toBe(8);
  });

  it('does nothing when an end is declared that no stall preceded', () => {
    const slowStart = new SlowStart('x', 100, 10);
    slowStart.declare(false, 0, 5);
    expect(slowStart.active).toBe(false);
  });

  it('says when the next credit is there, at least 1 ms ahead', () => {
    const slowStart = new SlowStart('x', 100, 10);
    slowStart.declare(true, 0, 0);
    slowStart.declare(false, 0, 0);
    expect(slowStart.risesInMs(0)).toBe(200);
    expect(slowStart.risesInMs(250)).toBe(50);
    expect(slowStart.risesInMs(299.99)).toBe(1);
  });

  it('goes on from where its ceiling is when the rate changes, and ends at a new capacity', () => {
    const slowStart = new SlowStart('x', 100, 10);
    slowStart.declare(true, 0, 0);
    slowStart.declare(false, 0, 0);
    slowStart.resize({ perSecond: 20 }, 1000);
    expect(slowStart.ceiling(1500)).toBe(20);
    slowStart.resize({ capacity: 15 }, 1500);
    expect(slowStart.ceiling(1500)).toBe(Infinity);
    expect(() => slowStart.resize({ perSecond: 0 }, 1500)).toThrow(RangeError);
    slowStart.resize({ perSecond: 5 }, 1500);
    expect(slowStart.active).toBe(false);
  });

  it('refuses a rate at which the pool would never reopen', () => {
    expect(() => new SlowStart('x', 100, 0)).toThrow(
      new RangeError('x: replenishPerSecond must be above 0, not 0'),
    );
    expect(() => new SlowStart('x', 100, NaN)).toThrow(RangeError);
  });
});
