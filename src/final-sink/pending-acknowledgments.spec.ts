import { FakeClock } from '../../test/support/fake-clock.js';
import { PendingAcknowledgments, type PendingEntry } from './pending-acknowledgments.js';

function setUp(limit = 2) {
  const clock = new FakeClock();
  const timedOut: string[] = [];
  const pending = new PendingAcknowledgments<string>({
    limit,
    timeoutMs: 100,
    clock,
    onTimeout: ({ items }) => timedOut.push(...items),
  });
  const open = (...items: string[]): PendingEntry<string> => pending.open(items)!;
  return { clock, pending, timedOut, open };
}

describe('PendingAcknowledgments', () => {
  it('has no place above its limit, and one again after an answer (PA1)', () => {
    const { pending, open } = setUp();
    const first = open('a');
    open('b');
    expect(pending.open(['c'])).toBeUndefined();
    pending.settle(first, 0);
    expect(pending.open(['c'])).toBeDefined();
    expect(pending.free).toBe(0);
  });

  it('opens the records of a call together or not at all, and ends them together', () => {
    const { clock, pending, timedOut, open } = setUp(3);
    const call = open('a', 'b');
    expect(pending.open(['c', 'd'])).toBeUndefined();
    expect(pending.free).toBe(1);
    expect(pending.settle(call, 1)).toBe(true);
    expect(pending.snapshot()).toMatchObject({ pending: 0, acknowledged: 1, rejected: 1 });
    const late = open('c', 'd');
    clock.advance(100);
    expect(timedOut).toEqual(['c', 'd']);
    expect(pending.settle(late, 2)).toBe(false);
    expect(pending.snapshot()).toMatchObject({ pending: 0, timedOut: 2, late: 2 });
  });

  it('opens nothing beyond a smaller limit, and keeps what is pending', () => {
    const { pending, open } = setUp(3);
    const first = open('a');
    open('b');
    pending.resize(1);
    pending.settle(first, 1);
    expect(pending.open(['c'])).toBeUndefined();
    expect(pending.snapshot()).toMatchObject({ pending: 1, limit: 1 });
    pending.resize(2);
    expect(pending.open(['c'])).toBeDefined();
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
    expect(pending.settle(answered, 1)).toBe(true);
    expect(pending.settle(answered, 0)).toBe(false);
    clock.advance(100);
    expect(pending.settle(late, 1)).toBe(false);
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

  it('fires no timeout after a stop', () => {
    const { clock, pending, timedOut, open } = setUp();
    open('a');
    pending.stop();
    clock.advance(1000);
    expect(timedOut).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
