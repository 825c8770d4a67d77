import type { RandomSource } from '../clock.js';

/**
 * Power of two choices: draws two different candidates and returns the one with the smaller load, the
 * first draw on a tie. A single candidate is returned without a draw; none at all is a `RangeError`.
 */
export function twoChoices(
  candidates: ArrayLike<number>,
  loadOf: (partition: number) => number,
  random: RandomSource,
): number {
  const count = candidates.length;
  if (count === 0) throw new RangeError('Two choices need at least one candidate partition.');
  if (count === 1) return candidates[0] as number;
  const firstIndex = Math.floor(random() * count);
  const drawAmongOthers = Math.floor(random() * (count - 1));
  const secondIndex = drawAmongOthers < firstIndex ? drawAmongOthers : drawAmongOthers + 1;
  const first = candidates[firstIndex] as number;
  const second = candidates[secondIndex] as number;
  return loadOf(second) < loadOf(first) ? second : first;
}
