import { FakeClock } from '../../../test/support/fake-clock.js';
import { BoundedSemaphore, type Permit } from './bounded-semaphore.js';
import { PoolClosedError } from './errors/pool-closed.error.js';
import { SemaphoreFullError } from './errors/semaphore-full.error.js';
import { SemaphoreWaitAbortedError } from './errors/semaphore-wait-aborted.error.js';
import { SemaphoreWaitTimeoutError } from './errors/semaphore-wait-timeout.error.js';

describe('BoundedSemaphore', () => {
  const start = (permits: number, queueCapacity: number) => {
    const clock = new FakeClock();
    return {
      clock,
      semaphore: new BoundedSemaphore({ name: 'calls', permits, queueCapacity, clock }),
    };
  };

  it('grants up to its permits without waiting, then nothing', () => {
    const { semaphore } = start(2, 5);
    const first = semaphore.tryAcquire();
    expect(semaphore.tryAcquire()).toBeDefined();
    expect(semaphore.tryAcquire()).toBeUndefined();
    first?.release();
    expect(semaphore.tryAcquire()).toBeDefined();
    expect(semaphore).toMatchObject({ inUse: 2, capacity: 2, queued: 0 });
  });

  it('serves waiters first in, first out, and tryAcquire overtakes none of them', async () => {
    const { semaphore } = start(1, 5);
    const held = await semaphore.acquire();
    const order: string[] = [];
    const waits = ['a', 'b'].map(async (name) => {
      const permit = await semaphore.acquire();
      order.push(name);
      permit.release();
    });
    semaphore.resize({ permits: 1 });
    expect(semaphore.tryAcquire()).toBeUndefined();
    held.release();
    expect(semaphore.tryAcquire()).toBeUndefined();
    await Promise.all(waits);
    expect(order).toEqual(['a', 'b']);
    expect(semaphore.inUse).toBe(0);
  });

  it('rejects at once when the queue is full, and counts it', async () => {
    const { semaphore } = start(1, 1);
    const held = await semaphore.acquire();
    const waiting = semaphore.acquire();
    await expect(semaphore.acquire()).rejects.toThrow(SemaphoreFullError);
    expect(semaphore.snapshot()).toEqual({
      name: 'calls',
      capacity: 1,
      inUse: 1,
      queued: 1,
      queueCapacity: 1,
      rejected: 1,
      doubleReleases: 0,
    });
    held.release();
    (await waiting).release();
  });

  it('takes a permit back once; a second release is counted and frees nothing', () => {
    const { semaphore } = start(2, 0);
    const permit = semaphore.tryAcquire();
    semaphore.tryAcquire();
    permit?.release();
    permit?.release();
    expect(semaphore.snapshot()).toMatchObject({ inUse: 1, doubleReleases: 1 });
  });

  it('takes a disposed permit back unless that is done', () => {
    const { semaphore } = start(1, 0);
    {
      using permit = semaphore.tryAcquire();
      expect(permit).toBeDefined();
      expect(semaphore.inUse).toBe(1);
    }
    {
      using permit = semaphore.tryAcquire();
      permit?.release();
    }
    expect(semaphore.snapshot()).toMatchObject({ inUse: 0, doubleReleases: 0 });
  });

  it('gives no permit to who gave up by signal or deadline', async () => {
    const { clock, semaphore } = start(1, 5);
    const held = await semaphore.acquire();
    const controller = new AbortController();
    const aborted = semaphore.acquire({ signal: controller.signal });
    const late = semaphore.acquire({ timeoutMs: 100 });
    const patient = semaphore.acquire({ timeoutMs: 1000 });
    controller.abort('stop');
    clock.advance(100);
    await expect(aborted).rejects.toThrow(SemaphoreWaitAbortedError);
    await expect(aborted).rejects.toMatchObject({ cause: 'stop', waitedMs: 0 });
    await expect(late).rejects.toThrow(SemaphoreWaitTimeoutError);
    await expect(late).rejects.toMatchObject({ semaphore: 'calls', waitedMs: 100 });
    expect(semaphore.queued).toBe(1);
    held.release();
    (await patient).release();
    expect(semaphore.inUse).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('rejects an aborted caller even when a permit is free', async () => {
    const { semaphore } = start(1, 5);
    const signal = AbortSignal.abort('gone');
    await expect(semaphore.acquire({ signal })).rejects.toMatchObject({
      code: 'FC_SEMAPHORE_WAIT_ABORTED',
      cause: 'gone',
    });
    expect(semaphore.inUse).toBe(0);
  });

  it('runs a function with a permit and takes it back when it ends, fails or released it itself', async () => {
    const { semaphore } = start(1, 5);
    await expect(semaphore.run(() => semaphore.inUse)).resolves.toBe(1);
    await expect(semaphore.run(() => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    );
    await semaphore.run((permit) => permit.release());
    expect(semaphore.snapshot()).toMatchObject({ inUse: 0, doubleReleases: 0 });
  });

  it('wakes waiters when it grows and revokes nothing when it shrinks', async () => {
    const { semaphore } = start(2, 5);
    const held = [semaphore.tryAcquire(), semaphore.tryAcquire()];
    const waits = [semaphore.acquire(), semaphore.acquire()];
    semaphore.resize({ permits: 0 });
    expect(semaphore).toMatchObject({ capacity: 1, inUse: 2, queued: 2 });
    held[0]?.release();
    expect(semaphore).toMatchObject({ inUse: 1, queued: 2 });
    semaphore.resize({ permits: 3.9 });
    expect(semaphore).toMatchObject({ capacity: 3, inUse: 3, queued: 0 });
    for (const permit of await Promise.all(waits)) permit.release();
    expect(semaphore.inUse).toBe(1);
  });

  it('keeps who waits already when the queue shrinks', async () => {
    const { semaphore } = start(1, 2);
    const held = await semaphore.acquire();
    const waiting = semaphore.acquire();
    semaphore.resize({ queueCapacity: -1 });
    await expect(semaphore.acquire()).rejects.toThrow(SemaphoreFullError);
    held.release();
    (await waiting).release();
    expect(semaphore.snapshot()).toMatchObject({ queueCapacity: 0, inUse: 0 });
  });

  it('ends every wait when it closes, grants nothing more and still takes permits back', async () => {
    const { semaphore } = start(1, 5);
    const held: Permit = await semaphore.acquire();
    const waiting = semaphore.acquire();
    semaphore.close();
    await expect(waiting).rejects.toThrow(PoolClosedError);
    await expect(semaphore.acquire()).rejects.toMatchObject({ code: 'FC_CLOSED', owner: 'calls' });
    held.release();
    expect(semaphore.inUse).toBe(0);
    expect(semaphore.tryAcquire()).toBeUndefined();
  });

  it('needs a whole number of permits from 1 and a queue from 0', () => {
    expect(() => start(0, 1)).toThrow('calls: permits must be a whole number from 1, not 0');
    expect(() => start(1, 0.5)).toThrow(
      'calls: queueCapacity must be a whole number from 0, not 0.5',
    );
  });
});
