import { FakeClock } from '../../../test/support/fake-clock.js';
import { BackOffs } from './back-offs.js';

describe('BackOffs', () => {
  it('gives a group back together and in order when its delay is over', () => {
    const clock = new FakeClock();
    const backOffs = new BackOffs<number>(clock);
    const over: (readonly number[])[] = [];
    backOffs.begin([1, 2, 3], 200, (items) => over.push(items));
    backOffs.begin([4], 100, (items) => over.push(items));
    expect(backOffs.size).toBe(2);
    clock.advance(100);
    expect(over).toEqual([[4]]);
    clock.advance(100);
    expect([over, backOffs.size]).toEqual([[[4], [1, 2, 3]], 0]);
  });

  it('gives up what is due, and the rest of its group waits on', () => {
    const clock = new FakeClock();
    const backOffs = new BackOffs<number>(clock);
    const over: (readonly number[])[] = [];
    backOffs.begin([1, 2, 3], 100, (items) => over.push(items));
    expect(backOffs.takeDue(new Set([2, 7]))).toEqual([2]);
    clock.advance(100);
    expect(over).toEqual([[1, 3]]);
    backOffs.begin([4], 100, (items) => over.push(items));
    expect(backOffs.takeDue(new Set([4]))).toEqual([4]);
    expect([over.at(-1), backOffs.size, clock.pendingTimers]).toEqual([[], 0, 0]);
  });

  it('tells nobody after its stop', () => {
    const clock = new FakeClock();
    const backOffs = new BackOffs<number>(clock);
    backOffs.begin([1], 100, () => {
      throw new Error('told');
    });
    backOffs.stop();
    clock.advance(100);
    expect([backOffs.size, clock.pendingTimers]).toEqual([0, 0]);
  });
});
