import { KeyedSequencer } from './keyed-sequencer.js';

describe('KeyedSequencer', () => {
  it('has one item of a key ready at a time and hands on the next in order', () => {
    const sequencer = new KeyedSequencer<number>({ capacity: 10 });
    expect([1, 2, 3].map((item) => sequencer.offer('a', item))).toEqual([
      'ready',
      'queued',
      'queued',
    ]);
    expect(sequencer.done('a')).toBe(2);
    expect(sequencer.offer('a', 4)).toBe('queued');
    expect([3, 4, undefined]).toEqual(['a', 'a', 'a'].map((key) => sequencer.done(key)));
    expect(sequencer).toMatchObject({ size: 0, activeKeys: 0 });
    expect(sequencer.offer('a', 5)).toBe('ready');
  });

  it('works on other keys in parallel', () => {
    const sequencer = new KeyedSequencer<number>({ capacity: 10 });
    expect(['a', 'b', ''].map((key) => sequencer.offer(key, 1))).toEqual([
      'ready',
      'ready',
      'ready',
    ]);
    expect(sequencer).toMatchObject({ size: 3, activeKeys: 3 });
  });

  it('lets an item without a key pass at once, also when full, and does not count it', () => {
    const sequencer = new KeyedSequencer<number>({ capacity: 1 });
    sequencer.offer('a', 1);
    expect(sequencer.offer(undefined, 2)).toBe('ready');
    expect(sequencer.done(undefined)).toBeUndefined();
    expect(sequencer.size).toBe(1);
  });

  it('takes no keyed item when full, of whichever key', () => {
    const sequencer = new KeyedSequencer<number>({ capacity: 2 });
    sequencer.offer('a', 1);
    sequencer.offer('a', 2);
    expect(sequencer.offer('a', 3)).toBeUndefined();
    expect(sequencer.offer('b', 3)).toBeUndefined();
    expect(sequencer.done('a')).toBe(2);
    expect(sequencer.offer('b', 3)).toBe('ready');
  });

  it('ignores the end of a key that has nothing ready', () => {
    const sequencer = new KeyedSequencer<number>({ capacity: 2 });
    expect(sequencer.done('a')).toBeUndefined();
    expect(sequencer.size).toBe(0);
  });

  it('drains what is queued, each key in order, and leaves what is ready', () => {
    const sequencer = new KeyedSequencer<string>({ capacity: 10 });
    for (const item of ['a1', 'b1', 'a2', 'c1', 'a3', 'b2']) sequencer.offer(item[0], item);
    expect(sequencer.drain()).toEqual(['a2', 'a3', 'b2']);
    expect(sequencer).toMatchObject({ size: 3, activeKeys: 3 });
    expect(sequencer.drain()).toEqual([]);
    expect(sequencer.done('a')).toBeUndefined();
    expect(sequencer).toMatchObject({ size: 2, activeKeys: 2 });
  });

  it('takes more after it was made larger, and keeps what is inside a smaller one', () => {
    const sequencer = new KeyedSequencer<string>({ capacity: 1 });
    expect(sequencer.offer('a', 'a1')).toBe('ready');
    expect(sequencer.offer('b', 'b1')).toBeUndefined();
    sequencer.resize(2);
    expect(sequencer.offer('a', 'a2')).toBe('queued');
    sequencer.resize(1);
    expect(sequencer.done('a')).toBe('a2');
    expect(() => sequencer.resize(0)).toThrow(RangeError);
  });

  it('needs room for at least one item', () => {
    expect(() => new KeyedSequencer({ capacity: 0 })).toThrow(
      new RangeError('KeyedSequencer: capacity must be a whole number from 1, not 0'),
    );
  });
});
