import type { Ending } from '../ledger/acknowledgments.port.js';
import { byteaArray, int2Array, textArray } from '../ledger/binary-array.js';
import {
  type DeadLetter,
  DeadLetterWriter,
  type EndedRedrives,
  type LetterChange,
} from '../ledger/dead-letter-writer.port.js';
import { deadOf } from '../ledger/endings.js';
import { letterOf } from '../ledger/redriven.js';
import type { TransactionSession } from '../ledger/transaction-session.js';
import { PRIORITIES } from '../pipeline/record.js';
import { DeadLetterEvents } from './dead-letter.events.js';
import * as sql from './letter.statements.js';
import { LetterCount } from './letter-count.js';
import { lockLetters } from './locked-letters.js';
import { type LetterMove, type LockedLetter, totalsOf } from './record-standing.js';

export interface DeadLetterBounds {
  /** EGRESS_MAX_DEAD_LETTER_QUEUE_SIZE */
  readonly maxLetters: number;
}

/**
 * The table of dead letters, as the ledger's transactions write it, and how full it is.
 *
 * DL1 a letter is written in the transaction that ends its record, and leaves `redriving` in the one that ends it again.
 * DL2 a redrive ends once: the letter must still be in that redrive (its count is the fence).
 */
export class DeadLetterStore extends DeadLetterWriter {
  readonly events = new DeadLetterEvents();
  readonly counts: LetterCount;

  constructor(bounds: DeadLetterBounds) {
    super();
    this.counts = new LetterCount(bounds.maxLetters);
  }

  /** Letters that wait for somebody to look at them, or are on their way again. */
  get count(): number {
    return this.counts.total;
  }

  /** Letters that may still be written: none, and the stages stop to take credits. */
  get free(): number {
    return this.counts.free;
  }

  async insert(session: TransactionSession, letters: readonly DeadLetter[]): Promise<void> {
    const records = letters.map(({ ending }) => ending.record);
    await session.query(sql.INSERT, [
      textArray(records.map((record) => record.id)),
      textArray(letters.map(({ ending }) => ending.destination)),
      textArray(records.map((record) => record.tenant)),
      textArray(letters.map(keyOf)),
      int2Array(records.map((record) => record.partition)),
      int2Array(records.map((record) => PRIORITIES.indexOf(record.priority))),
      byteaArray(letters.map((letter) => letter.headers)),
      byteaArray(letters.map((letter) => letter.body)),
      textArray(letters.map(({ ending }) => reasonOf(ending))),
      textArray(records.map((record) => record.stage)),
      textArray(records.map((record) => JSON.stringify(record.failures ?? []))),
      letters.map((letter) => letter.acceptedAt),
      letters.map(({ position }) => position?.source ?? null),
      letters.map(({ position }) => position?.partition ?? null),
      letters.map(({ position }) => position?.offset ?? null),
      byteaArray(letters.map(({ position }) => position?.keyBytes ?? null)),
    ]);
  }

  async endRedrives(
    session: TransactionSession,
    endings: readonly Ending[],
  ): Promise<EndedRedrives> {
    const { letters, redriving } = await lockRedrives(session, endings);
    const moves: LetterMove[] = [];
    for (const ending of redriving) {
      const { id } = letterOf(ending.record)!;
      moves.push(moveOf(id, ending));
      await endOne(session, id, ending);
    }
    return { ended: redriving, totals: totalsOf(letters, moves) };
  }

  async underRedrive(
    session: TransactionSession,
    parts: readonly Ending[],
  ): Promise<readonly Ending[]> {
    return (await lockRedrives(session, parts)).redriving;
  }

  committed({ added, redriven, returned }: LetterChange): void {
    this.counts.move({ waiting: added + returned, redriving: -(redriven + returned) });
    if (added > 0) this.events.emit('added', added);
    if (redriven > 0) this.events.emit('redriven', redriven);
    if (returned > 0) this.events.emit('returned', returned);
  }

  async recount(session: TransactionSession): Promise<void> {
    const take = this.counts.reading();
    const { rows } = await session.query<[number, number]>(sql.COUNT_OPEN);
    const [waiting, redriving] = rows[0] ?? [0, 0];
    take(waiting, redriving);
  }
}

/** DL2: those whose letter is in the redrive that their record is of. */
async function lockRedrives(
  session: TransactionSession,
  endings: readonly Ending[],
): Promise<{ letters: readonly LockedLetter[]; redriving: readonly Ending[] }> {
  const letters = await lockLetters(
    session,
    endings.map(({ record }) => letterOf(record)!.id),
  );
  const redriving = endings.filter(({ record }) => {
    const { id, redriveCount } = letterOf(record)!;
    const letter = letters.find((each) => each.id === id);
    return letter?.state === 'redriving' && letter.redriveCount === redriveCount;
  });
  return { letters, redriving };
}

async function endOne(session: TransactionSession, id: string, ending: Ending): Promise<void> {
  const { terminal } = ending;
  if (terminal.status !== 'dead-lettered') {
    const event = { event: terminal.status, ...reasonIn(terminal) };
    await session.query(sql.END_REDRIVE, [id, JSON.stringify(event)]);
    return;
  }
  const [first, ...others] = deadOf(ending);
  // From the letter as it is: what was accepted is the same for all.
  for (const other of others) await session.query(sql.ADD_LETTER, [id, ...deathOf(other)]);
  const event = JSON.stringify({ event: 'dead-lettered', ...reasonIn(terminal) });
  const [reason, stage, destination, attempts] = deathOf(first ?? ending);
  const kept = letterOf(ending.record)?.destination ?? destination;
  await session.query(sql.RETURN_LETTER, [id, event, reason, stage, kept, attempts]);
}

/** Reason, stage, destination, failed attempts. */
function deathOf(ending: Ending): [string, string, string, string] {
  const { record, destination } = ending;
  return [reasonOf(ending), record.stage, destination, JSON.stringify(record.failures ?? [])];
}

function reasonIn({ reason }: Ending['terminal']): { readonly reason?: string } {
  return reason === undefined ? {} : { reason };
}

function moveOf(id: string, { terminal: { status } }: Ending): LetterMove {
  return status === 'dead-lettered' ? { id, to: 'waiting' } : { id, to: 'redriven', end: status };
}

function reasonOf({ terminal }: Ending): string {
  return terminal.reason ?? 'unknown';
}

/** What text can't keep is in the letter's `keyBytes`; a letter must always be writable. */
function keyOf({ ending, position }: DeadLetter): string | null {
  return position?.keyBytes == null ? (ending.record.key ?? null) : null;
}
