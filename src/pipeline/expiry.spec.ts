import { FakeClock } from '../../test/support/fake-clock.js';
import { makeRecord } from '../../test/support/ledger.js';
import { Expiry, hasExpired, NEVER_MS, takeDue } from './expiry.js';

describe('Expiry', () => {
  const clock = new FakeClock();
  const itemIn = (ms: number) => ({ record: makeRecord({ expiresAtMs: clock.wallNow() + ms }) });
  type Item = ReturnType<typeof itemIn>;
  let due: Item[][];
  let expiry: Expiry<Item>;
  beforeEach(() => {
    due = [];
    expiry = new Expiry(clock, (items) => due.push([...items]));
  });
  afterEach(() => expiry.stop());

  it('tells of items when their deadline has come, the earliest first (EX1)', () => {
    const [late, early, both] = [itemIn(200), itemIn(100), itemIn(100)];
    for (const item of [late, early, both]) expiry.add(item);
    clock.advance(99);
    expect(due).toEqual([]);
    clock.advance(1);
    expect(due).toEqual([[early, both]]);
    clock.advance(100);
    expect(due).toEqual([[early, both], [late]]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('tells at once of one whose deadline has passed already, as after a restart', () => {
    const item = itemIn(-1000);
    expiry.add(item);
    clock.advance(0);
    expect(due).toEqual([[item]]);
    expect(expiry.hasExpired(item)).toBe(true);
  });

  it('sets no timer for a record without a deadline, and none is left when all are removed in time (EX2)', () => {
    const item = { record: makeRecord({ expiresAtMs: NEVER_MS }) };
    expiry.add(item);
    expect(clock.pendingTimers).toBe(0);
    expect(hasExpired(item.record, clock)).toBe(false);
    expiry.remove(item);
    const dated = itemIn(50);
    expiry.add(dated);
    expect(clock.pendingTimers).toBe(1);
    expiry.remove(dated);
    clock.advance(50);
    expect(due).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('tells of an item once, and of nothing after its stop', () => {
    const item = itemIn(10);
    expiry.add(item);
    clock.advance(1000);
    expect(due).toEqual([[item]]);
    expiry.add(itemIn(10));
    expiry.stop();
    clock.advance(1000);
    expect(due).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('takes what is due out of a line and keeps the order of the rest', () => {
    const line = [1, 2, 3, 4, 5];
    expect(takeDue(line, new Set([4, 2, 9]))).toEqual([2, 4]);
    expect(line).toEqual([1, 3, 5]);
  });
});
