import { Backlog } from './backlog.js';
import { JournalLevel } from './journal-level.js';

describe('JournalLevel', () => {
  it('counts a record once, from its commit to its end', () => {
    const level = new JournalLevel(3, 100);
    level.add('a', 10);
    level.add('a', 10);
    level.add('b', 5);
    expect([level.records, level.bytes]).toEqual([2, 15]);
    level.remove('a');
    level.remove('a');
    expect([level.records, level.bytes, level.has('a'), level.has('b')]).toEqual([
      1,
      5,
      false,
      true,
    ]);
  });

  it('is full at either bound', () => {
    const level = new JournalLevel(2, 100);
    level.add('a', 99);
    expect([level.isFull, level.fits(1, 1), level.fits(1, 2), level.fits(2, 0)]).toEqual([
      false,
      true,
      false,
      false,
    ]);
    level.add('b', 1);
    expect(level.isFull).toBe(true);
  });
});

describe('Backlog', () => {
  it('takes over only what nobody here knows, tells of it, and forgets what is loaded', () => {
    const level = new JournalLevel(10, 100);
    const backlog = new Backlog(level);
    const told: string[][] = [];
    backlog.onAdded((added) => told.push(added.map((entry) => entry.id)));
    level.add('own', 1);
    const entries = ['a', 'own', 'b'].map((id) => ({ id, sizeBytes: 2 }));
    backlog.add(entries);
    backlog.add(entries);
    expect(told).toEqual([['a', 'b']]);
    expect(level.bytes).toBe(5);
    backlog.remove(['a']);
    expect(backlog.entries()).toEqual([{ id: 'b', sizeBytes: 2 }]);
    backlog.add(['c', 'd', 'e'].map((id) => ({ id, sizeBytes: 2 })));
    backlog.remove(['b', 'c']);
    backlog.remove(['e', 'gone']);
    expect(backlog.size).toBe(1);
    expect(backlog.entries()).toEqual([{ id: 'd', sizeBytes: 2 }]);
  });
});
