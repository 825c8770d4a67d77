import { LetterCount } from './letter-count.js';

describe('LetterCount', () => {
  it('leaves room up to the bound', () => {
    const count = new LetterCount(3);
    count.move({ waiting: 2 });
    expect(count).toMatchObject({ waiting: 2, redriving: 0, total: 2, free: 1 });
    count.move({ waiting: -1, redriving: 1 });
    expect(count).toMatchObject({ waiting: 1, redriving: 1, total: 2, free: 1 });
  });

  it('counts what is written while the table is read twice rather than not at all (LC1)', () => {
    const count = new LetterCount(10);
    const take = count.reading();
    count.move({ waiting: 2 });
    take(5, 1);
    expect(count).toMatchObject({ waiting: 7, redriving: 1 });
    count.reading()(5, 1);
    expect(count.waiting).toBe(5);
  });

  it('takes letters that are taken up here for no room (LC2)', () => {
    const count = new LetterCount(2);
    count.move({ waiting: 1, redriving: 1 });
    expect(count.free).toBe(0);
    count.takenUp(1);
    expect(count).toMatchObject({ free: 1, total: 2 });
    count.takenUp(0);
    expect(count.free).toBe(0);
  });

  it('never falls below zero, should another replica have moved a letter before the next reading', () => {
    const count = new LetterCount(2);
    count.move({ waiting: -1, redriving: -2 });
    expect(count.total).toBe(0);
  });
});
