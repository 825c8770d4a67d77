import { type AbortedTransaction, type FetchedMessage, hideAborted } from './aborted-records.js';

const record = (offset: number, producerId: string, key: Buffer | null = null): FetchedMessage => ({
  offset: String(offset),
  key,
  batchContext: { producerId, inTransaction: producerId !== '' },
});
const marker = (offset: number, producerId: string, type: 0 | 1): FetchedMessage => ({
  ...record(offset, producerId, Buffer.from([0, 0, 0, type])),
  isControlRecord: true,
});
const aborted = (producerId: string, firstOffset: number) => ({
  producerId,
  firstOffset: String(firstOffset),
});
interface Fetched {
  readonly messages: readonly FetchedMessage[];
  readonly abortedTransactions: readonly AbortedTransaction[];
}

/** Offsets that a handler would see. */
function seen({ messages, abortedTransactions }: Fetched): number[] {
  hideAborted(messages, abortedTransactions);
  return messages
    .filter(({ isControlRecord }) => isControlRecord !== true)
    .map(({ offset }) => Number(offset));
}

describe('records of aborted transactions', () => {
  it('are hidden when the one that began first ends last, which is how the broker lists them', () => {
    const messages = [
      record(0, 'a'),
      record(1, 'b'),
      marker(2, 'b', 0),
      record(3, 'a'),
      marker(4, 'a', 0),
      record(5, 'a'),
      marker(6, 'a', 1),
    ];
    const abortedTransactions = [aborted('b', 1), aborted('a', 0)];
    expect(seen({ messages, abortedTransactions })).toEqual([5]);
  });

  it('are hidden when the fetch begins in the middle of several transactions', () => {
    const messages = [record(10, 'b'), record(11, 'a'), marker(12, 'a', 0), marker(13, 'b', 0)];
    const abortedTransactions = [aborted('a', 3), aborted('b', 4)];
    expect(seen({ messages, abortedTransactions })).toEqual([]);
  });

  it('are hidden behind a record whose key reads like a marker', () => {
    const messages = [record(0, 'a', Buffer.alloc(4)), record(1, 'a'), marker(2, 'a', 0)];
    expect(seen({ messages, abortedTransactions: [aborted('a', 0)] })).toEqual([]);
  });

  it('leave those of others as they are, in a transaction or not', () => {
    const messages = [record(0, ''), record(1, 'a'), record(2, 'b'), marker(3, 'a', 0)];
    const abortedTransactions = [aborted('a', 1)];
    expect(seen({ messages, abortedTransactions })).toEqual([0, 2]);
    expect(seen({ messages: [record(0, 'a')], abortedTransactions: [] })).toEqual([0]);
  });
});
