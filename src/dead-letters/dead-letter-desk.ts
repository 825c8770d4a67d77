import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { TransactionSession } from '../ledger/transaction-session.js';
import { countEnds, TOTAL_SLOT } from '../ledger/end-totals.js';
import { Ledger } from '../ledger/ledger.js';
import type { LetterState } from './dead-letter.js';
import { DeadLetterStore } from './dead-letter-store.js';
import { DISCARD, START_REDRIVE } from './letter.statements.js';
import { lockLetters } from './locked-letters.js';
import { inPoolTransaction } from './pool-session.js';
import { type LockedLetter, totalsOf } from './record-standing.js';

/** What became of an operator's wish. */
export type DeskAnswer =
  | { readonly kind: 'done'; readonly recordId: string; readonly redriveCount: number }
  | { readonly kind: 'unknown' }
  /** It does not wait: somebody was faster, or it has ended. Nothing was changed. */
  | { readonly kind: 'not-waiting'; readonly state: LetterState };

/**
 * What operators do with one letter, on any replica.
 *
 * DD1 only a letter that waits can be moved; of two wishes at once one is done, the other hears why not.
 * DD2 the letter and the totals change in one transaction: the books balance at every moment.
 */
@Injectable()
export class DeadLetterDesk {
  constructor(
    private readonly database: DataSource,
    private readonly ledger: Ledger,
    private readonly store: DeadLetterStore,
  ) {}

  /** Marks the letter to be sent again; the replica that owns the partitions takes it up within a second. */
  async redrive(id: string, by: string): Promise<DeskAnswer> {
    const event = JSON.stringify({ event: 'redrive', by });
    const answer = await this.move(id, 'redriving', (session) =>
      session.query(START_REDRIVE, [id, event]),
    );
    if (answer.kind !== 'done') return answer;
    this.store.counts.move({ waiting: -1, redriving: 1 });
    this.store.events.emit('redrive', 1);
    return { ...answer, redriveCount: answer.redriveCount + 1 };
  }

  /** Takes the letter out of what waits, for good. It stays, with the reason; its record stays dead-lettered. */
  async discard(id: string, reason: string, by: string): Promise<DeskAnswer> {
    const event = JSON.stringify({ event: 'discard', by, reason });
    const answer = await this.move(id, 'discarded', (session) =>
      session.query(DISCARD, [id, event]),
    );
    if (answer.kind !== 'done') return answer;
    this.store.counts.move({ waiting: -1 });
    this.store.events.emit('discarded', 1);
    return answer;
  }

  private move(
    id: string,
    to: LetterState,
    write: (session: TransactionSession) => Promise<unknown>,
  ): Promise<DeskAnswer> {
    return inPoolTransaction(this.database, async (session): Promise<DeskAnswer> => {
      const letters = await lockLetters(session, [id]);
      const letter = letters.find((each) => each.id === id);
      if (letter === undefined) return { kind: 'unknown' };
      const { state, recordId, redriveCount } = letter;
      if (state !== 'waiting') return { kind: 'not-waiting', state };
      await write(session);
      await this.count(session, letters, { id, to });
      return { kind: 'done', recordId, redriveCount };
    });
  }

  private async count(
    session: TransactionSession,
    letters: readonly LockedLetter[],
    move: { readonly id: string; readonly to: LetterState },
  ): Promise<void> {
    const row = { instanceId: this.ledger.instanceId, slot: TOTAL_SLOT.redrive };
    await countEnds(session, row, totalsOf(letters, [move]));
  }
}
