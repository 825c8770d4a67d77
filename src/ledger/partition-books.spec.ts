import { PartitionBooks, type PartitionBooksState } from './partition-books.js';

const EMPTY = Buffer.alloc(0);
const books = (fields: Partial<PartitionBooksState> = {}): PartitionBooks =>
  new PartitionBooks({
    low: 10n,
    doneAbove: EMPTY,
    gaps: 0n,
    boundaryTimestampMs: 1000,
    ...fields,
  });
const bits = (...numbers: number[]): Buffer => Buffer.from(numbers);

describe('PartitionBooks', () => {
  it('sets the bits of ended offsets, lowest first, and leaves low to the source', () => {
    const ended = books().with([10n, 12n, 20n]);
    expect(ended).toMatchObject({ low: 10n, doneAbove: bits(0b101, 0b100), gaps: 0n });
    expect([9n, 10n, 11n, 12n, 20n, 21n, 1n << 62n].map((offset) => ended.has(offset))).toEqual([
      true,
      true,
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(ended.boundaryTimestampMs).toBe(1000);
  });

  it('does not change when another value is made of it', () => {
    const before = books({ doneAbove: bits(1) });
    before.with([11n, 30n]);
    before.merged(books({ low: 12n }));
    expect(before).toMatchObject({ low: 10n, doneAbove: bits(1) });
  });

  it('holds offsets up to 8,191 above low (PB2)', () => {
    const ended = books().with([10n + 8191n]);
    expect(ended.low).toBe(10n);
    expect(ended.doneAbove).toHaveLength(1024);
  });

  it('moves low where the bitmap has no room, over records that ended and gaps alike (PB2)', () => {
    const ended = books({ doneAbove: bits(0b1011), gaps: 2n }).with([8205n, 8203n]);
    // From 10 to 13: 10, 11 and 13 had ended, 12 held no record.
    expect(ended).toMatchObject({ low: 14n, gaps: 3n, boundaryTimestampMs: undefined });
    expect([8202n, 8203n, 8204n, 8205n].map((offset) => ended.has(offset))).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  it('counts a gap of any width', () => {
    const ended = books({ doneAbove: bits(0b10) }).with([1_000_000_000n]);
    expect(ended.low).toBe(1_000_000_000n - 8191n);
    expect(ended.gaps).toBe(ended.low - 10n - 1n);
  });

  it('takes over a watermark that is ahead, with its gaps and its time, and keeps later bits (PB1)', () => {
    const merged = books({ doneAbove: bits(0b111, 0b1) }).merged({
      low: 13n,
      doneAbove: bits(0b100),
      gaps: 1n,
      boundaryTimestampMs: 2000,
    });
    expect(merged).toMatchObject({
      low: 13n,
      doneAbove: bits(0b10_0100),
      gaps: 1n,
      boundaryTimestampMs: 2000,
    });
  });

  it('keeps its own watermark when that is ahead (PB1)', () => {
    const merged = books({ low: 20n, gaps: 4n, doneAbove: bits(1) }).merged({
      low: 11n,
      doneAbove: bits(0, 0b110),
      gaps: 1n,
      boundaryTimestampMs: 2000,
    });
    expect(merged).toMatchObject({
      low: 20n,
      doneAbove: bits(0b11),
      gaps: 4n,
      boundaryTimestampMs: 1000,
    });
  });

  it('forgets no bit when a watermark jumps beyond all of them', () => {
    const merged = books({ doneAbove: bits(0xff) }).merged(books({ low: 50_000n }));
    expect(merged).toMatchObject({ low: 50_000n, doneAbove: EMPTY });
  });
});
