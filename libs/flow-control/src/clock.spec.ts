import { FakeClock } from '../../../test/support/fake-clock.js';
import { sleep, SystemClock } from './clock.js';

describe('SystemClock', () => {
  const clock = new SystemClock();

  it('gives a wall time in whole milliseconds and a monotonic time that never goes back', () => {
    expect(Number.isInteger(clock.wallNow())).toBe(true);
    const first = clock.now();
    expect(clock.now()).toBeGreaterThanOrEqual(first);
  });

  it('runs a timer once and not before its delay', async () => {
    const setMs = clock.now();
    const firedMs = await new Promise<number>((resolve) => {
      // Unreferenced: something else must keep the process alive meanwhile.
      const keepAlive = setInterval(() => undefined, 1);
      clock.setTimer(20, () => {
        clearInterval(keepAlive);
        resolve(clock.now());
      });
    });
    // The event loop counts whole milliseconds.
    expect(firedMs - setMs).toBeGreaterThanOrEqual(19);
  });

  it('never runs a cancelled timer, however often it is cancelled', async () => {
    const callback = jest.fn();
    const timer = clock.setTimer(0, callback);
    timer.cancel();
    timer.cancel();
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(callback).not.toHaveBeenCalled();
  });

  it('takes a delay above 24.8 days as 24.8 days, not as 1 ms', () => {
    const setTimer = jest.spyOn(globalThis, 'setTimeout');
    clock.setTimer(Infinity, () => undefined).cancel();
    expect(setTimer).toHaveBeenCalledWith(expect.any(Function), 2_147_483_647);
    setTimer.mockRestore();
  });
});

describe('sleep', () => {
  it('resolves when the delay has passed and leaves no abort listener behind', async () => {
    const clock = new FakeClock();
    const { signal } = new AbortController();
    const removed = jest.spyOn(signal, 'removeEventListener');
    const sleeping = sleep(clock, 100, signal);
    clock.advance(100);
    await expect(sleeping).resolves.toBeUndefined();
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function));
  });

  it('needs no signal', async () => {
    const clock = new FakeClock();
    const sleeping = sleep(clock, 1);
    clock.advance(1);
    await expect(sleeping).resolves.toBeUndefined();
  });

  it('rejects with the reason at once when the signal aborts, and cancels its timer', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const sleeping = sleep(clock, 100, controller.signal);
    controller.abort('stop');
    await expect(sleeping).rejects.toBe('stop');
    expect(clock.pendingTimers).toBe(0);
  });

  it('rejects without a timer when the signal is aborted already', async () => {
    const clock = new FakeClock();
    await expect(sleep(clock, 100, AbortSignal.abort('late'))).rejects.toBe('late');
    expect(clock.pendingTimers).toBe(0);
  });
});
