import { OffsetWatermark, WATERMARK_SPAN } from './offset-watermark.js';

const mark = (options: Partial<ConstructorParameters<typeof OffsetWatermark>[0]> = {}) =>
  new OffsetWatermark({ low: 10n, maxRecords: 1024, ...options });

/** Begins the records at these absolute offsets; each has its offset as timestamp. */
const begin = (of: OffsetWatermark, ...offsets: number[]): void => {
  const relative = offsets.map((offset) => of.parse(`${offset}`));
  of.begin(relative, offsets, 0, offsets.length);
};

describe('OffsetWatermark', () => {
  it('follows the example of the notes: 13 and 14 are compacted away', () => {
    const of = mark();
    begin(of, 10, 11, 12, 15);
    of.done(11n, 12n);
    expect(of.low).toBe(10n);
    expect(of.doneAbove()).toEqual(Buffer.from([0x06]));
    of.done(10n, 10n);
    expect(of.low).toBe(15n);
    expect(of.doneAbove()).toEqual(Buffer.alloc(0));
    of.done(15n, 15n);
    expect(of.low).toBe(16n);
    expect(of.gaps).toBe(2n);
  });

  it('jumps gaps and a tail of markers, so that they never hold the group up (C5)', () => {
    const of = mark({ low: 1n });
    begin(of, 1, 2, 5);
    of.done(1n, 5n);
    expect(of.low).toBe(6n);
    of.pass(of.parse('9'));
    expect([of.low, of.next, of.gaps]).toEqual([9n, 9n, 5n]);
  });

  it('keeps low at the record in flight while a tail moves next', () => {
    const of = mark();
    begin(of, 10);
    of.pass(of.parse('20'));
    expect([of.low, of.next]).toEqual([10n, 20n]);
    of.done(10n, 10n);
    expect([of.low, of.gaps]).toEqual([20n, 9n]);
  });

  it('knows what an earlier run finished, and passes it', () => {
    const of = mark({ doneAbove: Buffer.from([0b0010_0110]) });
    expect([10, 11, 12, 13, 15].map((offset) => of.isDuplicate(of.parse(`${offset}`)))).toEqual([
      false,
      true,
      true,
      false,
      true,
    ]);
    const fetched = [10, 13].map((offset) => of.parse(`${offset}`));
    expect(of.prefix([...fetched, of.parse('15')], 0, 100)).toBe(2);
    begin(of, 10);
    of.done(10n, 10n);
    expect([of.low, of.next]).toEqual([13n, 13n]);
  });

  it('tells the timestamps of the record at low and of the one before', () => {
    const of = mark({ boundaryTimestampMs: 9 });
    expect([of.boundaryTimestampMs, of.lowTimestampMs]).toEqual([9, undefined]);
    begin(of, 10, 11, 13);
    of.done(10n, 10n);
    expect([of.boundaryTimestampMs, of.lowTimestampMs]).toEqual([10, 11]);
    of.done(11n, 11n);
    expect([of.boundaryTimestampMs, of.lowTimestampMs]).toEqual([undefined, 13]);
  });

  it('counts a record once, and none of a gap, of later offsets or after it was closed', () => {
    const of = mark();
    begin(of, 10, 12, 13);
    expect(of.done(10n, 12n)).toBe(2);
    expect(of.done(10n, 12n)).toBe(0);
    expect(of.done(14n, 99n)).toBe(0);
    of.close();
    expect(of.done(13n, 13n)).toBe(0);
    expect(of.low).toBe(13n);
  });

  it('lets no more records begin than it has room for, and none too far ahead (T3)', () => {
    const of = mark({ low: 0n, maxRecords: 3 });
    expect(of.prefix([0, 1, 2, 3], 0, 100)).toBe(3);
    expect(of.prefix([0, 1, 2, 3], 0, 2)).toBe(2);
    begin(of, 0, 1);
    expect(of.prefix([2, 3], 0, 100)).toBe(1);
    of.maxRecords = 100;
    expect(of.prefix([2, WATERMARK_SPAN - 1, WATERMARK_SPAN], 0, 100)).toBe(2);
    of.done(0n, 0n);
    expect(of.prefix([2, WATERMARK_SPAN], 0, 100)).toBe(2);
  });

  it('lets a record behind a wide gap begin once nothing is in flight', () => {
    const of = mark({ low: 0n });
    begin(of, 0);
    expect(of.prefix([1_000_000], 0, 100)).toBe(0);
    of.done(0n, 0n);
    expect(of.prefix([1_000_000], 0, 100)).toBe(1);
    begin(of, 1_000_000);
    expect([of.low, of.gaps]).toEqual([1_000_000n, 999_999n]);
  });

  it('is exact beyond 2^53', () => {
    const low = 2n ** 60n;
    const of = mark({ low });
    const offsets = [0n, 1n, 3n].map((i) => of.parse(`${low + i}`));
    expect(offsets).toEqual([0, 1, 3]);
    of.begin(offsets, [1, 1, 1], 0, 3);
    of.done(low, low + 1n);
    expect(of.low).toBe(low + 3n);
  });

  it('tells nothing of an empty batch', () => {
    expect(mark().prefix([], 0, 10)).toBe(0);
  });
});
