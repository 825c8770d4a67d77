import { JournalNotEmptyError } from './errors/journal-not-empty.error.js';
import type { SqlRunner } from './sink-table.js';

/** Rejects with a JournalNotEmptyError while the journal holds records of anybody. */
export async function requireEmptyJournal(database: SqlRunner): Promise<void> {
  const answer = await database.query('SELECT 1 FROM journal LIMIT 1');
  const rows = Array.isArray(answer) ? answer : (answer as { rows: unknown[] }).rows;
  if (rows.length > 0) throw new JournalNotEmptyError();
}
