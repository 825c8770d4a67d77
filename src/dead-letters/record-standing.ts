import type { EndTotals } from '../ledger/end-totals.js';
import type { LetterState } from './dead-letter.js';

/** A letter as its transaction has it, locked. */
export interface LockedLetter {
  readonly id: string;
  readonly recordId: string;
  readonly state: LetterState;
  readonly redriveCount: number;
  readonly source: 'rest' | 'kafka';
}

/** A letter's next state, and for a redriven one how its record has ended. */
export interface LetterMove {
  readonly id: string;
  readonly to: LetterState;
  readonly end?: 'acknowledged' | 'discarded';
}

/**
 * A record may have a letter for each destination, and counts once: as dead-lettered while one of them waits or was
 * discarded, else as in flight while one is on its way, else by the end of the last one.
 */
type Standing = 'dead' | 'in-flight' | 'ended';

/** What moves do to the totals. `letters` are all letters of the records concerned, as they are before. */
export function totalsOf(
  letters: readonly LockedLetter[],
  moves: readonly LetterMove[],
): EndTotals {
  const totals = { rest: noEnds(), kafka: noEnds() };
  const states = new Map(letters.map(({ id, state }) => [id, state]));
  for (const { id, to, end } of moves) {
    const moved = letters.find((letter) => letter.id === id);
    if (moved === undefined) continue;
    const ids = letters
      .filter(({ recordId }) => recordId === moved.recordId)
      .map((each) => each.id);
    const before = standingOf(ids, states);
    states.set(id, to);
    const after = standingOf(ids, states);
    const counts = totals[moved.source];
    counts.deadLettered += Number(after === 'dead') - Number(before === 'dead');
    if (after === 'ended' && before !== 'ended') counts[end ?? 'acknowledged'] += 1;
  }
  return totals;
}

function standingOf(ids: readonly string[], states: ReadonlyMap<string, LetterState>): Standing {
  const present = new Set(ids.map((id) => states.get(id)));
  if (present.has('waiting') || present.has('discarded')) return 'dead';
  return present.has('redriving') ? 'in-flight' : 'ended';
}

function noEnds() {
  return { acknowledged: 0, deadLettered: 0, discarded: 0 };
}
