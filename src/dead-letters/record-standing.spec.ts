import type { LetterState } from './dead-letter.js';
import { type LetterMove, type LockedLetter, totalsOf } from './record-standing.js';

const letter = (id: string, state: LetterState, fields: Partial<LockedLetter> = {}) => ({
  id,
  recordId: 'r',
  state,
  redriveCount: 0,
  source: 'rest' as const,
  ...fields,
});
const NONE = { acknowledged: 0, deadLettered: 0, discarded: 0 };

describe('what moves of letters do to the totals', () => {
  it.each<[string, LetterState, LetterMove, object]>([
    ['a redrive', 'waiting', { id: '1', to: 'redriving' }, { deadLettered: -1 }],
    ['a discard', 'waiting', { id: '1', to: 'discarded' }, {}],
    ['another death', 'redriving', { id: '1', to: 'waiting' }, { deadLettered: 1 }],
    [
      'an acknowledgment',
      'redriving',
      { id: '1', to: 'redriven', end: 'acknowledged' },
      { acknowledged: 1 },
    ],
    [
      'a record that is filtered out',
      'redriving',
      { id: '1', to: 'redriven', end: 'discarded' },
      { discarded: 1 },
    ],
  ])('%s', (_, state, move, change) => {
    expect(totalsOf([letter('1', state)], [move])).toEqual({
      rest: { ...NONE, ...change },
      kafka: NONE,
    });
  });

  it('are those of the source of the record', () => {
    const letters = [letter('1', 'waiting', { source: 'kafka' })];
    expect(totalsOf(letters, [{ id: '1', to: 'redriving' }])).toEqual({
      rest: NONE,
      kafka: { ...NONE, deadLettered: -1 },
    });
  });

  it.each<[string, LetterState, LetterMove, object]>([
    ['stays dead while another letter waits', 'waiting', { id: '1', to: 'redriving' }, {}],
    ['stays dead while another was discarded', 'discarded', { id: '1', to: 'redriving' }, {}],
    [
      'is in flight when none is left that waits',
      'redriving',
      { id: '1', to: 'redriving' },
      { deadLettered: -1 },
    ],
    ['counts as dead once', 'redriven', { id: '1', to: 'redriving' }, { deadLettered: -1 }],
  ])('a record of two letters %s', (_, other, move, change) => {
    expect(totalsOf([letter('1', 'waiting'), letter('2', other)], [move]).rest).toEqual({
      ...NONE,
      ...change,
    });
  });

  it('a record of two letters is acknowledged with the last of them', () => {
    const letters = [letter('1', 'redriving'), letter('2', 'redriving')];
    const moves = [
      { id: '1', to: 'redriven', end: 'acknowledged' },
      { id: '2', to: 'redriven', end: 'acknowledged' },
    ] as const;
    expect(totalsOf(letters, moves.slice(0, 1)).rest).toEqual(NONE);
    expect(totalsOf(letters, moves).rest).toEqual({ ...NONE, acknowledged: 1 });
  });
});
