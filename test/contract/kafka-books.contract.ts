import type { BookedPartition, BookEntry, KafkaBooks } from '../../libs/kafka/src/index.js';

export interface ContractBooks {
  /** The books as one consumer has them. */
  readonly books: KafkaBooks;
  /** The same books, opened by another consumer. */
  readonly other: KafkaBooks;
  readonly close: () => Promise<void>;
}

/** The rules of the port KafkaBooks; every implementation keeps them. */
export function describeKafkaBooksContract(name: string, open: () => Promise<ContractBooks>): void {
  describe(`KafkaBooks contract: ${name}`, () => {
    let contract: ContractBooks;
    let books: KafkaBooks;
    let other: KafkaBooks;

    beforeEach(async () => {
      contract = await open();
      ({ books, other } = contract);
    });
    afterEach(() => contract.close());

    const start = (partition: number, startOffset = 0n) => ({ partition, startOffset });
    const entry = (
      source: number,
      row: BookedPartition,
      fields: Partial<BookEntry> = {},
    ): BookEntry => ({ ...row, source, records: 0n, ...fields });
    const assignOne = async (
      of: KafkaBooks,
      source: number,
      partition: number,
      startOffset = 0n,
    ): Promise<BookedPartition> => (await of.assign(source, [start(partition, startOffset)]))[0]!;

    it('give a topic one source, known once a partition was assigned', async () => {
      const first = await books.source('orders');
      expect(first).toMatchObject({ incarnation: 1, isKnown: false });
      expect(await other.source('orders')).toEqual(first);
      await books.assign(first.source, [start(0)]);
      expect(await books.source('orders')).toEqual({ ...first, isKnown: true });
      const another = await books.source('payments');
      expect(another).toMatchObject({ incarnation: 1, isKnown: false });
      expect(another.source).not.toBe(first.source);
    });

    it('start a new incarnation once, whoever asks for it', async () => {
      const first = await books.source('orders');
      await books.assign(first.source, [start(0, 100n)]);
      const second = await books.nextIncarnation('orders', 1);
      expect(second).toMatchObject({ incarnation: 2, isKnown: true });
      expect(second.source).not.toBe(first.source);
      expect(await other.nextIncarnation('orders', 1)).toEqual(second);
      expect(await other.source('orders')).toEqual(second);
      const row = await assignOne(books, second.source, 0, 7n);
      expect(row).toMatchObject({ epoch: 1n, low: 7n });
    });

    it('begin a partition at its start, and keep what they have at every later assignment', async () => {
      const { source } = await books.source('orders');
      expect(await books.assign(source, [start(1, 5n), start(3, 9n)])).toEqual([
        { partition: 1, epoch: 1n, low: 5n, doneAbove: NONE, gaps: 0n, ...NO_TIME },
        { partition: 3, epoch: 1n, low: 9n, doneAbove: NONE, gaps: 0n, ...NO_TIME },
      ]);
      expect(await assignOne(books, source, 1, 77n)).toMatchObject({ epoch: 2n, low: 5n });
      expect(await assignOne(books, source, 2, 77n)).toMatchObject({ epoch: 1n, low: 77n });
    });

    it('give back at the next assignment what was written', async () => {
      const { source } = await books.source('orders');
      const row = await assignOne(books, source, 0, 10n);
      const huge = 2n ** 62n;
      const written = {
        low: huge,
        doneAbove: Buffer.from([0b110, 0, 1]),
        gaps: 3n,
        boundaryTimestampMs: 1_767_225_600_123,
      };
      const kept = await books.write([entry(source, row, written)]);
      expect(kept).toEqual([expect.objectContaining({ source, partition: 0 })]);
      expect(await assignOne(other, source, 0)).toEqual({ partition: 0, epoch: 2n, ...written });
    });

    it('follow to where records have ended without them, with the effect of once', async () => {
      const { source } = await books.source('orders');
      const row = await assignOne(books, source, 0, 10n);
      const followed = entry(source, row, { low: 25n });
      expect(await books.follow([followed])).toHaveLength(1);
      expect(await books.follow([followed])).toHaveLength(1);
      await assignOne(other, source, 0);
      expect(await books.follow([entry(source, row, { low: 30n })])).toEqual([]);
      expect(await assignOne(books, source, 0)).toMatchObject({ low: 25n, gaps: 0n });
    });

    it('keep an entry that is written twice, with the effect of once', async () => {
      const { source } = await books.source('orders');
      const row = await assignOne(books, source, 0);
      const twice = entry(source, row, { low: 4n, doneAbove: Buffer.from([2]), records: 4n });
      expect(await books.write([twice])).toHaveLength(1);
      expect(await books.write([twice])).toHaveLength(1);
      const { low, doneAbove } = twice;
      expect(await assignOne(books, source, 0)).toMatchObject({ epoch: 2n, low, doneAbove });
    });

    it('keep nothing of a consumer that lost the partition, and everything of the one that has it', async () => {
      const { source } = await books.source('orders');
      const [lost, held] = await books.assign(source, [start(0), start(1)]);
      const mine = await assignOne(other, source, 0);
      expect(
        await books.write([
          entry(source, lost!, { low: 9n, records: 9n }),
          entry(source, held!, { low: 2n, records: 2n }),
        ]),
      ).toEqual([expect.objectContaining({ source, partition: 1 })]);
      expect(await books.write([entry(source, lost!, { low: 9n, records: 9n })])).toEqual([]);
      expect(await other.write([entry(source, mine, { low: 1n, records: 1n })])).toHaveLength(1);
      expect(await assignOne(books, source, 0)).toMatchObject({ epoch: 3n, low: 1n });
    });

    it('refuse an entry of an earlier assignment of the same consumer', async () => {
      const { source } = await books.source('orders');
      const early = await assignOne(books, source, 0);
      const late = await assignOne(books, source, 0);
      expect(await books.write([entry(source, early, { low: 3n, records: 3n })])).toEqual([]);
      expect(await books.write([entry(source, late, { low: 3n, records: 3n })])).toHaveLength(1);
    });
  });
}

const NONE = Buffer.alloc(0);
const NO_TIME = { boundaryTimestampMs: undefined };
