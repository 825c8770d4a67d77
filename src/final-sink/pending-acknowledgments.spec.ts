import { FakeClock } from '../../test/support/fake-clock.js';
import { PendingAcknowledgments, type PendingEntry } from './pending-acknowledgments.js';

function setUp(limit = 2) {
  const clock = new FakeClock();
  const timedOut: string[] = [];
  const pending = new PendingAcknowledgments<string>({
    limit,
    timeoutMs: 100,
    clock,
    onTimeout: ({ item }) => timedOut.push(item),
  });
  const open = (item: string): PendingEntry<string> => pending.open(item)!;
  return { clock, pending, timedOut, open };
}

describe('PendingAcknowledgments', () => {
  it('has no place above its limit, and one again after an answer (PA1)', () => {
    const { pending, open } = setUp();
    const first = open('a');
    open('b');
    expect(pending.open('c')).toBeUndefined();
    pending.settle(first, 'rejected');
    expect(pending.open('c')).toBeDefined();
    expect(pending.free).toBe(0);
  });

  it('opens nothing beyond a smaller limit, and keeps what is pending', () => {
    const { pending, open } = setUp(3);
    const first = open('a');
    open('b');
    pending.resize(1);
    pending.settle(first, 'acknowledged');
    expect(pending.open('c')).toBeUndefined();
    expect(pending.snapshot()).toMatchObject({ pending: 1, limit: 1 });
    pending.resize(2);
    expect(pending.open('c')).toBeDefined();
  });

  it('frees the place at the timeout, in order, by one timer', () => {
    const { clock, pending, timedOut, open } = setUp(3);
    open('a');
    clock.advance(50);
    open('b');
    open('c');
    expect(clock.pendingTimers).toBe(1);
    clock.advance(50);
    expect(timedOut).toEqual(['a']);
    clock.advance(50);
    expect(timedOut).toEqual(['a', 'b', 'c']);
    expect(pending.pending).toBe(0);
  });

  it('counts late and duplicate answers; they change nothing (PA2)', () => {
    const { clock, pending, open } = setUp();
    const answered = open('a');
    const late = open('b');
    expect(pending.settle(answered, 'acknowledged')).toBe(true);
    expect(pending.settle(answered, 'rejected')).toBe(false);
    clock.advance(100);
    expect(pending.settle(late, 'acknowledged')).toBe(false);
    expect(pending.snapshot()).toEqual({
      pending: 0,
      limit: 2,
      acknowledged: 1,
      rejected: 0,
      timedOut: 1,
      late: 1,
      duplicates: 1,
    });
  });

  it('fires no timeout after it was cleared', () => {
    const { clock, pending, timedOut, open } = setUp();
    open('a');
    pending.clear();
    clock.advance(1000);
    expect(timedOut).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
