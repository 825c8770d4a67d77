import { FakeClock } from '../../../../test/support/fake-clock.js';
import { Ewma } from './ewma.js';

describe('Ewma', () => {
  let clock: FakeClock;
  let ewma: Ewma;

  beforeEach(() => {
    clock = new FakeClock();
    ewma = new Ewma({ tauMs: 1000, clock });
  });

  it('is 0 without samples and takes the first sample whole', () => {
    expect(ewma.value).toBe(0);
    ewma.add(80);
    expect(ewma.value).toBe(80);
  });

  it('weighs a sample by the time since the one before: 63 % after tau', () => {
    ewma.add(0);
    clock.advance(1000);
    ewma.add(100);

    expect(ewma.value).toBeCloseTo(100 * (1 - Math.exp(-1)), 10);
  });

  it('gives the same for a step sampled often and rarely', () => {
    ewma.add(0);
    for (let i = 0; i < 100; i++) {
      clock.advance(10);
      ewma.add(100);
    }

    expect(ewma.value).toBeCloseTo(100 * (1 - Math.exp(-1)), 10);
  });

  it('counts the samples of one instant together, as their mean', () => {
    for (const value of [10, 20, 60]) ewma.add(value);
    expect(ewma.value).toBe(30);

    clock.advance(1000);
    for (const value of [200, 0]) ewma.add(value);
    expect(ewma.value).toBeCloseTo(30 + (100 - 30) * (1 - Math.exp(-1)), 10);
  });

  it('keeps its value while no samples come', () => {
    ewma.add(5);
    clock.advance(1e6);

    expect(ewma.value).toBe(5);
  });

  it('starts anew after a reset', () => {
    ewma.add(5);
    ewma.reset();
    expect(ewma.value).toBe(0);
    ewma.add(7);
    expect(ewma.value).toBe(7);
  });
});
