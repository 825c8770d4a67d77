import { StallReasons } from './stall-reasons.js';

describe('StallReasons', () => {
  it('tells the first reason and the end of the last one', () => {
    const told: boolean[] = [];
    const stalls = new StallReasons((isStalled) => told.push(isStalled));
    stalls.set('breaker', false);
    stalls.set('breaker', true);
    stalls.set('dead letters', true);
    stalls.set('breaker', true);
    stalls.set('breaker', false);
    expect(told).toEqual([true]);
    stalls.set('dead letters', false);
    expect(told).toEqual([true, false]);
  });
});
