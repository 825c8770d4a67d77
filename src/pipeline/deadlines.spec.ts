import { FakeClock } from '../../test/support/fake-clock.js';
import { type Deadline, Deadlines } from './deadlines.js';

function setUp() {
  const clock = new FakeClock();
  const due: string[] = [];
  const deadlines = new Deadlines<string>(clock, 100, (item) => due.push(item));
  return { clock, due, deadlines };
}

describe('Deadlines', () => {
  it('fires each item once, at its time, in the order of add', () => {
    const { clock, due, deadlines } = setUp();
    deadlines.add('a');
    clock.advance(60);
    deadlines.add('b');
    clock.advance(40);
    expect(due).toEqual(['a']);
    clock.advance(60);
    expect(due).toEqual(['a', 'b']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('fires nothing that was cancelled, wherever it stood', () => {
    const { clock, due, deadlines } = setUp();
    const all = ['first', 'middle', 'kept', 'last'].map((item) => deadlines.add(item));
    for (const i of [1, 0, 3]) all[i]?.cancel();
    all[0]?.cancel();
    expect(deadlines.size).toBe(1);
    clock.advance(100);
    expect(due).toEqual(['kept']);
  });

  it('keeps one timer for all, and takes up what is added while it fires', () => {
    const clock = new FakeClock();
    const due: string[] = [];
    const deadlines: Deadlines<string> = new Deadlines(clock, 100, (item) => {
      due.push(item);
      if (item === 'a') deadlines.add('again');
    });
    deadlines.add('a');
    deadlines.add('b');
    expect(clock.pendingTimers).toBe(1);
    clock.advance(200);
    expect(due).toEqual(['a', 'b', 'again']);
  });

  it('sets the timer anew when its head was cancelled', () => {
    const { clock, due, deadlines } = setUp();
    const first: Deadline = deadlines.add('a');
    clock.advance(50);
    deadlines.add('b');
    first.cancel();
    clock.advance(50);
    expect(due).toEqual([]);
    clock.advance(50);
    expect(due).toEqual(['b']);
  });

  it('forgets everything when it is cleared', () => {
    const { clock, due, deadlines } = setUp();
    deadlines.add('a');
    deadlines.clear();
    deadlines.clear();
    clock.advance(1000);
    expect([due, deadlines.size, clock.pendingTimers]).toEqual([[], 0, 0]);
  });
});
