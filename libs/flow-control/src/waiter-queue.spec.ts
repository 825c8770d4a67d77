import { FakeClock } from '../../../test/support/fake-clock.js';
import { WaiterQueue } from './waiter-queue.js';

describe('WaiterQueue', () => {
  const start = () => {
    const clock = new FakeClock();
    const onGaveUp = jest.fn();
    const queue = new WaiterQueue<string, number>({
      clock,
      onGaveUp,
      timeoutError: (request, waitedMs) => new Error(`${request} timed out after ${waitedMs}`),
      abortError: (request, waitedMs, reason) =>
        new Error(`${request} aborted after ${waitedMs}: ${String(reason)}`),
    });
    return { clock, queue, onGaveUp };
  };

  it('grants the head only, first in, first out', async () => {
    const { queue } = start();
    const waits = [queue.add('a', {}), queue.add('b', {}), queue.add('c', {})];
    expect(queue.head).toBe('a');
    for (const grant of [1, 2, 3]) queue.grantHead(grant);
    await expect(Promise.all(waits)).resolves.toEqual([1, 2, 3]);
    expect(queue.size).toBe(0);
    expect(queue.head).toBeUndefined();
  });

  it('ignores a grant when nobody waits', () => {
    const { queue } = start();
    queue.grantHead(1);
    expect(queue.size).toBe(0);
  });

  it.each(['a', 'b', 'c'])('lets %s give up and keeps the order of the others', async (leaver) => {
    const { queue, onGaveUp } = start();
    const controller = new AbortController();
    const waits = ['a', 'b', 'c'].map((name) =>
      queue.add(name, name === leaver ? { signal: controller.signal } : {}),
    );
    controller.abort('enough');
    expect(queue.size).toBe(2);
    expect(onGaveUp).toHaveBeenCalledTimes(1);
    const order: (string | undefined)[] = [queue.head];
    queue.grantHead(1);
    order.push(queue.head);
    queue.grantHead(2);
    expect(order).toEqual(['a', 'b', 'c'].filter((name) => name !== leaver));
    const settled = await Promise.allSettled(waits);
    expect(settled.filter(({ status }) => status === 'rejected')).toMatchObject([
      { reason: { message: `${leaver} aborted after 0: enough` } },
    ]);
  });

  it('removes a waiter at its deadline', async () => {
    const { clock, queue, onGaveUp } = start();
    const wait = queue.add('a', { timeoutMs: 50 });
    clock.advance(49);
    expect(queue.size).toBe(1);
    clock.advance(1);
    expect(queue.size).toBe(0);
    expect(onGaveUp).toHaveBeenCalledTimes(1);
    await expect(wait).rejects.toThrow('a timed out after 50');
  });

  it('removes the abort listener and cancels the timer when a wait settles, however it does', async () => {
    const { clock, queue } = start();
    const controllers = ['granted', 'aborted', 'timed out', 'closed'].map(
      () => new AbortController(),
    );
    const removed = controllers.map(({ signal }) => jest.spyOn(signal, 'removeEventListener'));
    const waits = controllers.map(({ signal }, index) =>
      queue.add(String(index), { signal, timeoutMs: index === 2 ? 10 : 1000 }),
    );
    queue.grantHead(1);
    controllers[1]?.abort();
    clock.advance(10);
    queue.rejectAll(() => new Error('closed'));
    expect(removed.map((spy) => spy.mock.calls.length)).toEqual([1, 1, 1, 1]);
    expect(clock.pendingTimers).toBe(0);
    const settled = await Promise.allSettled(waits);
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ]);
    controllers[0]?.abort();
    expect(queue.size).toBe(0);
  });
});
