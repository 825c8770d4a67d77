import type { TransactionSession } from '../ledger/transaction-session.js';
import type { LetterState } from './dead-letter.js';
import { LOCK } from './letter.statements.js';
import type { LockedLetter } from './record-standing.js';

type LockedRow = [
  id: string,
  recordId: string,
  state: LetterState,
  redriveCount: number,
  isOfKafka: boolean,
];

/** Locks all letters of the records of these letters until the transaction ends; waits for whoever moves one of them now. */
export async function lockLetters(
  session: TransactionSession,
  ids: readonly string[],
): Promise<readonly LockedLetter[]> {
  const { rows } = await session.query<LockedRow>(LOCK, [ids]);
  return rows.map(([id, recordId, state, redriveCount, isOfKafka]) => ({
    id,
    recordId,
    state,
    redriveCount,
    source: isOfKafka ? 'kafka' : 'rest',
  }));
}
