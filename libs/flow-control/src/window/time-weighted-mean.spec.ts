import { FakeClock } from '../../../../test/support/fake-clock.js';
import { TimeWeightedMean } from './time-weighted-mean.js';

describe('TimeWeightedMean', () => {
  let clock: FakeClock;
  let level: TimeWeightedMean;

  beforeEach(() => {
    clock = new FakeClock();
    level = new TimeWeightedMean({ clock });
  });

  it('weighs each level by how long it stood', () => {
    level.set(1);
    clock.advance(500);
    level.set(0);
    clock.advance(1500);

    expect(level.mean()).toBe(0.25);
  });

  it('counts the level that still stands', () => {
    clock.advance(1000);
    level.set(8);
    clock.advance(1000);

    expect(level.mean()).toBe(4);
  });

  it('is the current level while no time has passed', () => {
    level.set(3);
    level.set(7);

    expect(level.mean()).toBe(7);
  });

  it('keeps the level over a restart and forgets the past', () => {
    level.set(100);
    clock.advance(1000);
    level.set(2);
    level.restart();
    expect(level.mean()).toBe(2);
    clock.advance(10);
    expect(level.mean()).toBe(2);
  });

  it('does not change by being read', () => {
    level.set(4);
    clock.advance(100);
    for (let i = 0; i < 1000; i++) level.mean();

    expect(level.mean()).toBe(4);
  });
});
