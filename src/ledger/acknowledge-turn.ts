import type { Ledger } from './ledger.js';
import { failureOf } from './sql-state.js';

/**
 * Runs `work` while nobody else uses the acknowledge connection. Whoever comes next knows when its outcome is unknown:
 * that is noted before the turn ends.
 */
export function takeTurn<T>(
  { acknowledging, kafkaMarks }: Pick<Ledger, 'acknowledging' | 'kafkaMarks'>,
  work: () => Promise<T>,
): Promise<T> {
  return acknowledging.run(async () => {
    try {
      return await work();
    } catch (error) {
      if (failureOf(error) === 'away') kafkaMarks.isInDoubt = true;
      throw error;
    }
  });
}
