import { twoChoices } from './two-choices.js';

/** Gives the draws in order, as a random source would. */
const draws = (...values: number[]) => {
  return () => values.shift() ?? Number.NaN;
};
const loads: Readonly<Record<number, number>> = { 0: 5, 1: 1200, 2: 7, 3: 3 };
const loadOf = (partition: number): number => loads[partition] ?? Number.NaN;

describe('twoChoices', () => {
  it('takes the less loaded of the two drawn', () => {
    // Second candidate of four, then the third of the remaining three: (1, 3).
    expect(twoChoices([0, 1, 2, 3], loadOf, draws(0.25, 0.67))).toBe(3);
    expect(twoChoices([0, 1, 2, 3], loadOf, draws(0.75, 0.34))).toBe(3);
  });

  it('takes the first draw on a tie', () => {
    expect(twoChoices([4, 6], () => 1, draws(0.5, 0))).toBe(6);
    expect(twoChoices([4, 6], () => 1, draws(0, 0))).toBe(4);
  });

  it('takes a single candidate without a draw', () => {
    expect(twoChoices([7], loadOf, draws())).toBe(7);
  });

  it('refuses to choose from nothing', () => {
    expect(() => twoChoices([], loadOf, draws())).toThrow(RangeError);
  });
});
