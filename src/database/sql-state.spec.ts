import { asSqlState } from './sql-state.js';

describe('asSqlState', () => {
  it.each(['08006', '23505', '0A000', 'XX000', 'P0001'])('takes %s', (code) => {
    expect(asSqlState(code)).toBe(code);
  });

  it.each(['EPIPE', 'ECONNREFUSED', 'DB_AWAY', '', '2350', 23505, undefined, null])(
    'takes %s for none',
    (code) => {
      expect(asSqlState(code)).toBeUndefined();
    },
  );
});
