import { ownerName, ownerPid } from './folder-lock.js';

describe('the owner of the folder lock', () => {
  it('is read back from the name that it writes', () => {
    expect(ownerPid(ownerName(4711))).toBe(4711);
  });

  it.each(['', 'psql', 'penstock', 'penstock/x', 'my penstock/12'])(
    'is not known from %j',
    (name) => {
      expect(ownerPid(name)).toBeUndefined();
    },
  );
});
