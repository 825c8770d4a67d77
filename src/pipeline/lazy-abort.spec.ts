import { LazyAbort } from './lazy-abort.js';

describe('LazyAbort', () => {
  it('tells who has asked for the signal before', () => {
    const abort = new LazyAbort();
    const { signal } = abort;
    const heard = jest.fn();
    signal.addEventListener('abort', heard);
    abort.abort(new Error('gone'));
    expect(heard).toHaveBeenCalledTimes(1);
    expect(signal.reason).toEqual(new Error('gone'));
  });

  it('gives a signal that is aborted to who asks for it later', () => {
    const abort = new LazyAbort();
    abort.abort(new Error('gone'));
    abort.abort(new Error('again'));
    expect(abort.signal.aborted).toBe(true);
    expect(abort.signal.reason).toEqual(new Error('gone'));
  });

  it('has one signal', () => {
    const abort = new LazyAbort();
    expect(abort.signal).toBe(abort.signal);
  });
});
