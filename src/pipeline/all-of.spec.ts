import { allOf } from './all-of.js';

describe('allOf', () => {
  it('resolves at once for none, and with a lone promise', async () => {
    await expect(allOf([])).resolves.toBeUndefined();
    const lone = Promise.resolve();
    expect(allOf([lone])).toBe(lone);
  });

  it('resolves when all of several have', async () => {
    let release = (): void => undefined;
    const late = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isDone = false;
    const all = allOf([Promise.resolve(), late]).then(() => {
      isDone = true;
    });
    await Promise.resolve();
    expect(isDone).toBe(false);
    release();
    await all;
    expect(isDone).toBe(true);
  });

  it('rejects with the first rejection', async () => {
    const rejected = Promise.reject(new Error('no'));
    await expect(allOf([Promise.resolve(), rejected])).rejects.toThrow('no');
  });
});
