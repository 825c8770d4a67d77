import { FakeClock } from '../../../test/support/fake-clock.js';
import { CreditPool, type CreditPoolOptions } from './credit-pool.js';
import { CreditQueueFullError } from './errors/credit-queue-full.error.js';
import { CreditWaitAbortedError } from './errors/credit-wait-aborted.error.js';
import { CreditWaitTimeoutError } from './errors/credit-wait-timeout.error.js';
import { PoolClosedError } from './errors/pool-closed.error.js';
import type { Lot } from './lot.js';

const MIB = 1_048_576;

const start = (options: Partial<CreditPoolOptions> & { capacity: number }) => {
  const clock = new FakeClock();
  return { clock, pool: new CreditPool({ name: 'Gateway', clock, ...options }) };
};
const counts = (lots: readonly (Lot | undefined)[]) => lots.map((lot) => lot?.count);

/** A lot that the test knows to be granted. */
function granted(lot: Lot | undefined): Lot {
  if (lot === undefined) throw new Error('nothing was granted');
  return lot;
}

describe('CreditPool.request', () => {
  it('grants the longest prefix that is grantable, then nothing (I1, I2, I3)', () => {
    const { pool } = start({ capacity: 10 });
    expect(counts([pool.request(4), pool.request(8), pool.request(1)])).toEqual([4, 6, undefined]);
    expect(pool.snapshot()).toMatchObject({ available: 0, outstanding: 10, limit: 10 });
  });

  it('grants 50 of 80 at capacity 100 and factor 0.5', () => {
    const { pool } = start({ capacity: 100 });
    pool.resize({ factor: 0.5 });
    expect(pool.request(80)?.count).toBe(50);
  });

  it('stops grants after a shrink until outstanding is below the limit, and revokes nothing', () => {
    const { pool } = start({ capacity: 100 });
    const lot = granted(pool.request(80));
    pool.resize({ factor: 0.5 });
    expect(pool.request(1)).toBeUndefined();
    expect(pool.outstanding).toBe(80);
    lot.release(40);
    expect(pool.request(80)?.count).toBe(10);
    expect(pool.snapshot()).toMatchObject({ available: 50, outstanding: 50 });
  });

  it('still passes a record at capacity 1 and factor 0.5 (I6, L3)', () => {
    const { pool } = start({ capacity: 1 });
    pool.resize({ factor: 0.5 });
    expect(pool.limit).toBe(1);
    granted(pool.request(1)).release();
    expect(pool.request(1)?.count).toBe(1);
  });

  it('leaves three of ten credits to the three other active partitions', () => {
    const { pool } = start({ capacity: 10 });
    pool.resize({ activeLanes: 4 });
    expect(pool.request(10, 0, 'A')?.count).toBe(7);
    expect(pool.request(1, 0, 'A')).toBeUndefined();
    expect(pool.request(1, 0, 'B')?.count).toBe(1);
    expect(pool.request(5, 0, 'B')).toBeUndefined();
    expect(counts([pool.request(2, 0, 'C'), pool.request(1, 0, 'D')])).toEqual([1, 1]);
  });

  it('stops at the byte bound as well, and counts the bytes back', () => {
    const { pool } = start({ capacity: 100, byteCapacity: 1000 });
    const lot = granted(pool.request(5, [300, 300, 300, 300, 300]));
    expect(lot).toMatchObject({ count: 3, bytes: 900 });
    expect(pool.grantable(5, 300)).toBe(0);
    expect(pool.grantable(5, 50)).toBe(2);
    expect(pool.grantable(5)).toBe(5);
    lot.release(1, 300);
    expect(pool.snapshot().bytes).toEqual({
      capacity: 1000,
      limit: 1000,
      outstanding: 600,
      surplus: 0,
    });
    expect(pool.request(5, 300)?.count).toBe(1);
  });

  it('bounds bytes at 1 MiB in the pipeline example of 310 records of 300 bytes', () => {
    const { pool } = start({ capacity: 10_000, byteCapacity: 64 * MIB });
    pool.resize({ window: 150 + 100 + 20 + 40, meanRecordBytes: 300 });
    expect(pool.snapshot()).toMatchObject({ window: 310, bytes: { limit: MIB } });
  });

  it('lets a record above the byte limit pass alone', () => {
    const { pool } = start({ capacity: 100, byteCapacity: 1000 });
    const small = granted(pool.request(1, 10));
    expect(pool.request(2, 5000)).toBeUndefined();
    small.release();
    const large = granted(pool.request(2, 5000));
    expect(large).toMatchObject({ count: 1, bytes: 5000 });
    expect(pool.request(1)).toBeUndefined();
    large.release();
    expect(pool.request(1)?.count).toBe(1);
  });

  it.each([0, -1, NaN])('grants nothing for a batch of %d', (count) => {
    const { pool } = start({ capacity: 10 });
    expect(pool.request(count)).toBeUndefined();
    expect(pool.requestCount(count)).toBe(0);
    expect(pool.outstanding).toBe(0);
  });

  it('changes nothing when asked what is grantable', () => {
    const { pool } = start({ capacity: 10 });
    expect(pool.grantable(20, 10, 'A')).toBe(10);
    expect(pool.snapshot()).toMatchObject({ outstanding: 0, granted: 0 });
  });

  it('counts a double release and keeps the books right (I1, I4)', () => {
    const { pool } = start({ capacity: 10 });
    const first = granted(pool.request(4));
    pool.request(3);
    first.release();
    first.release(4);
    expect(pool.snapshot()).toMatchObject({
      outstanding: 3,
      available: 7,
      granted: 7,
      returned: 4,
      surplus: 4,
    });
  });

  it('grants and takes back by count, and counts a surplus', () => {
    const { pool } = start({ capacity: 10 });
    const lot = granted(pool.request(2));
    expect([pool.requestCount(5), pool.requestCount(5), pool.requestCount(5)]).toEqual([5, 3, 0]);
    pool.replenish(9);
    expect(pool.snapshot()).toMatchObject({ outstanding: 2, surplus: 1 });
    lot.release();
    expect(pool.outstanding).toBe(0);
  });

  it('takes a smaller capacity as credits come back, and revokes nothing (I1, I2)', () => {
    const { pool } = start({ capacity: 100 });
    const lot = granted(pool.request(80));
    pool.resize({ capacity: 20 });
    expect(pool.snapshot()).toMatchObject({ capacity: 80, available: 0, limit: 20 });
    lot.release(61);
    expect(pool.snapshot()).toMatchObject({ capacity: 20, available: 1, outstanding: 19 });
    expect(pool.request(5)?.count).toBe(1);
  });

  it('grants up to a larger capacity at once, to who waits first', async () => {
    const { pool } = start({ capacity: 1 });
    granted(pool.request(1));
    const wait = pool.acquire(5);
    pool.resize({ capacity: 4 });
    expect((await wait).count).toBe(3);
  });

  it('tells the age of the oldest lot still out', () => {
    const { clock, pool } = start({ capacity: 10 });
    expect(pool.oldestOutstandingMs()).toBe(0);
    const first = granted(pool.request(1));
    clock.advance(30);
    const second = granted(pool.request(1));
    expect(first.grantedAtMs).toBe(0);
    clock.advance(10);
    expect(pool.snapshot().oldestMs).toBe(40);
    first.release();
    expect(pool.oldestOutstandingMs()).toBe(10);
    second.release();
    expect(pool.oldestOutstandingMs()).toBe(0);
  });

  it('gives all of 2 × capacity failing records their credit back, so that the next pass at full rate', () => {
    const { pool } = start({ capacity: 1500 });
    for (let record = 0; record < 3000; record += 1) {
      expect(() => {
        using lot = pool.request(1);
        throw new Error(`invalid ${lot?.count}`);
      }).toThrow('invalid 1');
    }
    expect(pool.request(1500)?.count).toBe(1500);
  });

  it('refuses options that would make no pool', () => {
    expect(() => start({ capacity: 0 })).toThrow('Gateway: capacity must be a whole number from 1');
    expect(() => start({ capacity: 1, byteCapacity: 0 })).toThrow(
      'byteCapacity must be at least 1',
    );
    expect(() => start({ capacity: 1, maxWaiters: Infinity })).toThrow(
      'maxWaiters must be a whole number',
    );
  });
});

describe('CreditPool.acquire', () => {
  it('resolves at once with what is there', async () => {
    const { pool } = start({ capacity: 5 });
    expect((await pool.acquire(8)).count).toBe(5);
  });

  it('gives a waiter of 8 the one credit a smaller limit leaves (I7, L11)', async () => {
    const { pool } = start({ capacity: 10 });
    pool.resize({ window: 5 });
    const first = await pool.acquire(8);
    expect(first.count).toBe(5);
    pool.resize({ window: 3 });
    const waiting = pool.acquire(8);
    first.release(2);
    expect(pool.waiting).toBe(1);
    first.release(1);
    expect((await waiting).count).toBe(1);
  });

  it('serves waiters in order and lets no request overtake them (I5)', async () => {
    const { pool } = start({ capacity: 4 });
    const all = granted(pool.request(4));
    const waits = [pool.acquire(2), pool.acquire(2)];
    expect(pool.waiting).toBe(2);
    all.release(1);
    expect((await waits[0])?.count).toBe(1);
    expect(pool.request(1)).toBeUndefined();
    expect(pool.grantable(1)).toBe(0);
    expect(pool.requestCount(1)).toBe(0);
    all.release(3);
    expect((await waits[1])?.count).toBe(2);
    expect(pool.request(9)?.count).toBe(1);
  });

  it('holds back a small waiter behind a large head, and serves it when the head gives up', async () => {
    const { pool } = start({ capacity: 10, byteCapacity: 1000 });
    pool.request(1, 600);
    const controller = new AbortController();
    const large = pool.acquire(1, { sizes: [900], signal: controller.signal });
    const small = pool.acquire(3, { sizes: 100 });
    expect(pool.waiting).toBe(2);
    controller.abort();
    await expect(large).rejects.toThrow(CreditWaitAbortedError);
    expect(await small).toMatchObject({ count: 3, bytes: 300 });
  });

  it('gives no credit to who gave up by signal or deadline', async () => {
    const { clock, pool } = start({ capacity: 5 });
    const all = granted(pool.request(5));
    const controller = new AbortController();
    const aborted = pool.acquire(2, { signal: controller.signal });
    const late = pool.acquire(3, { timeoutMs: 100 });
    clock.advance(40);
    controller.abort('stop');
    clock.advance(60);
    await expect(aborted).rejects.toMatchObject({
      code: 'FC_CREDIT_WAIT_ABORTED',
      cause: 'stop',
      count: 2,
      waitedMs: 40,
    });
    await expect(late).rejects.toThrow(CreditWaitTimeoutError);
    await expect(late).rejects.toMatchObject({ pool: 'Gateway', count: 3, waitedMs: 100 });
    all.release();
    expect(pool.snapshot()).toMatchObject({ waiting: 0, outstanding: 0, granted: 5 });
  });

  it('rejects an aborted caller even when credits are free', async () => {
    const { pool } = start({ capacity: 5 });
    const wait = pool.acquire(1, { signal: AbortSignal.abort('gone') });
    await expect(wait).rejects.toMatchObject({ code: 'FC_CREDIT_WAIT_ABORTED', cause: 'gone' });
    expect(pool.outstanding).toBe(0);
  });

  it('leaves no timer and no abort listener behind when it is granted', async () => {
    const { clock, pool } = start({ capacity: 1 });
    const { signal } = new AbortController();
    const added = jest.spyOn(signal, 'addEventListener');
    const removed = jest.spyOn(signal, 'removeEventListener');
    const held = await pool.acquire(1, { signal, timeoutMs: 100 });
    expect(added).not.toHaveBeenCalled();
    const waiting = pool.acquire(1, { signal, timeoutMs: 100 });
    held.release();
    await waiting;
    expect(clock.pendingTimers).toBe(0);
    expect(removed.mock.calls[0]?.[1]).toBe(added.mock.calls[0]?.[1]);
  });

  it('rejects at once when as many wait as may', async () => {
    const { pool } = start({ capacity: 1, maxWaiters: 1 });
    const held = granted(pool.request(1));
    const waiting = pool.acquire(1);
    await expect(pool.acquire(1)).rejects.toThrow(CreditQueueFullError);
    await expect(pool.acquire(1)).rejects.toMatchObject({ pool: 'Gateway', waiting: 1 });
    held.release();
    expect((await waiting).count).toBe(1);
  });

  it.each([0, 1.5, NaN])('refuses to wait for %d credits', async (count) => {
    const { pool } = start({ capacity: 1 });
    await expect(pool.acquire(count)).rejects.toThrow(RangeError);
  });

  it('wakes waiters when the pool grows', async () => {
    const { pool } = start({ capacity: 10 });
    pool.resize({ window: 2 });
    pool.request(2);
    const waits = [pool.acquire(3), pool.acquire(3)];
    pool.resize({ window: 7 });
    expect(counts(await Promise.all(waits))).toEqual([3, 2]);
  });

  it('ends every wait when it closes, grants nothing more and still takes credits back', async () => {
    const { pool } = start({ capacity: 2 });
    const held = granted(pool.request(1));
    pool.requestCount(1);
    const waiting = pool.acquire(1);
    pool.close();
    await expect(waiting).rejects.toThrow(PoolClosedError);
    await expect(pool.acquire(1)).rejects.toMatchObject({ code: 'FC_CLOSED', owner: 'Gateway' });
    held.release();
    pool.replenish(1);
    expect(pool.snapshot()).toMatchObject({ outstanding: 0, waiting: 0 });
    expect(pool.request(1)).toBeUndefined();
    expect(pool.grantable(1)).toBe(0);
  });
});

describe('CreditPool.onAvailable', () => {
  it('tells an owner with a line of its own when credits became grantable', () => {
    const onAvailable = jest.fn();
    const { pool } = start({ capacity: 2, onAvailable });
    const lot = granted(pool.request(2));
    lot.release(1);
    expect(onAvailable).toHaveBeenCalledTimes(1);
    pool.request(1);
    pool.resize({ window: 1 });
    lot.release(1);
    expect(onAvailable).toHaveBeenCalledTimes(1);
    pool.resize({ window: 2 });
    expect(onAvailable).toHaveBeenCalledTimes(2);
  });

  it('stays silent while the waiters of the pool take everything', async () => {
    const onAvailable = jest.fn();
    const { pool } = start({ capacity: 1, onAvailable });
    const lot = granted(pool.request(1));
    const waits = [pool.acquire(1), pool.acquire(1)];
    lot.release();
    (await waits[0])?.release();
    expect(onAvailable).not.toHaveBeenCalled();
    (await waits[1])?.release();
    expect(onAvailable).toHaveBeenCalledTimes(1);
  });

  it('runs once more, not nested, for a release inside it', () => {
    let depth = 0;
    const depths: number[] = [];
    let backlog = 3;
    const { pool } = start({
      capacity: 1,
      onAvailable: () => {
        depth += 1;
        depths.push(depth);
        if (backlog > 0) {
          backlog -= 1;
          granted(pool.request(1)).release();
        }
        depth -= 1;
      },
    });
    granted(pool.request(1)).release();
    expect(depths).toEqual([1, 1, 1, 1]);
  });

  it('speaks again after it has thrown', () => {
    const onAvailable = jest.fn(() => {
      throw new Error('broken');
    });
    const { pool } = start({ capacity: 1, onAvailable });
    for (const calls of [1, 2]) {
      expect(() => granted(pool.request(1)).release()).toThrow('broken');
      expect(onAvailable).toHaveBeenCalledTimes(calls);
      expect(pool.outstanding).toBe(0);
    }
  });
});

describe('CreditPool after a stall', () => {
  const restarted = (options: Partial<CreditPoolOptions> = {}) => {
    const { clock, pool } = start({ capacity: 2500, replenishPerSecond: 250, ...options });
    pool.stalled(true);
    clock.advance(60_000);
    pool.stalled(false);
    return { clock, pool };
  };

  it('opens at the replenish rate: 250 after 1 s, 1 000 after 4 s, all after 10 s (R1)', () => {
    const { clock, pool } = restarted();
    expect(pool.limit).toBe(1);
    expect(pool.snapshot()).toMatchObject({ ceiling: 1, window: 2500, limit: 1 });
    clock.advance(1000);
    expect(pool.request(2500)?.count).toBe(250);
    clock.advance(3000);
    expect(pool.request(2500)?.count).toBe(750);
    clock.advance(6000);
    expect(pool.request(2500)?.count).toBe(1500);
    expect(pool.snapshot().ceiling).toBeUndefined();
  });

  it('keeps outstanding at or below the ceiling in every sample of a recovery under load', () => {
    const { clock, pool } = start({ capacity: 2500, replenishPerSecond: 250 });
    granted(pool.request(40));
    const stuck = granted(pool.request(60));
    clock.advance(60_000);
    stuck.release();
    let ceilings = 0;
    for (let tick = 0; tick < 200; tick += 1) {
      const ceiling = 100 + 0.25 * 50 * tick;
      pool.request(2500);
      expect(pool.outstanding).toBeLessThanOrEqual(ceiling);
      if (pool.snapshot().ceiling !== undefined) ceilings += 1;
      clock.advance(50);
    }
    expect(ceilings).toBe(192);
    expect(pool.request(2500)?.count).toBeUndefined();
    expect(pool.outstanding).toBe(2500);
  });

  it('gives credits that come back out again beside the ceiling, but no more', () => {
    const { clock, pool } = restarted();
    clock.advance(40);
    const lot = granted(pool.request(100));
    expect(lot.count).toBe(10);
    lot.release(4);
    expect(pool.request(100)?.count).toBe(4);
    expect(pool.request(100)).toBeUndefined();
  });

  it('wakes waiters as the ceiling rises, with one timer, and with none when nobody waits', async () => {
    const { clock, pool } = restarted();
    pool.request(1);
    expect(clock.pendingTimers).toBe(0);
    const order: string[] = [];
    const waits = ['a', 'b', 'c'].map(async (name) => {
      const { count } = await pool.acquire(5);
      order.push(`${name}${count} at ${clock.now() - 60_000}`);
    });
    expect(clock.pendingTimers).toBe(1);
    await clock.advanceAsync(100);
    await Promise.all(waits);
    expect(order).toEqual(['a1 at 8', 'b1 at 12', 'c1 at 16']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('sets no timer when the limit, not the ceiling, holds waiters back', () => {
    const { clock, pool } = restarted();
    pool.resize({ window: 1 });
    pool.request(1);
    const waiting = pool.acquire(1);
    expect(clock.pendingTimers).toBe(0);
    pool.close();
    return expect(waiting).rejects.toThrow(PoolClosedError);
  });

  it('tells a refused owner with a line of its own as the ceiling rises', () => {
    const taken: (number | undefined)[] = [];
    const { clock, pool } = restarted({
      onAvailable: () => {
        if (taken.length < 3) taken.push(pool.request(5)?.count);
      },
    });
    expect(pool.request(5)?.count).toBe(1);
    clock.advance(1000);
    expect(taken).toEqual([1, 1, 1]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('forgets the timer when it closes', async () => {
    const { clock, pool } = restarted();
    pool.request(1);
    const waiting = pool.acquire(1);
    pool.close();
    await expect(waiting).rejects.toThrow(PoolClosedError);
    expect(clock.pendingTimers).toBe(0);
  });

  it('goes on at a new rate from where the ceiling is, and wakes who waits by it (R1)', async () => {
    const { clock, pool } = start({ capacity: 1000, replenishPerSecond: 1 });
    pool.stalled(true);
    pool.stalled(false);
    const waits = [pool.acquire(1), pool.acquire(4)];
    pool.resize({ replenishPerSecond: 1000 });
    await clock.advanceAsync(5);
    expect(counts(await Promise.all(waits))).toEqual([1, expect.any(Number)]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('has no slow start without a replenish rate', () => {
    const { clock, pool } = start({ capacity: 100 });
    pool.stalled(true);
    pool.stalled(false);
    expect(pool.limit).toBe(100);
    const lot = granted(pool.request(50));
    clock.advance(60_000);
    lot.release();
    expect(pool.request(100)?.count).toBe(100);
  });
});
