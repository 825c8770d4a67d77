import fc from 'fast-check';
import { OffsetWatermark } from '../../libs/kafka/src/index.js';
import { PartitionBooks } from '../../src/ledger/partition-books.js';

/** What happens next at a source: records (with gaps before them), ends in any order, writes of the watermark. */
type Step =
  | { readonly kind: 'begin'; readonly gap: number; readonly count: number }
  | { readonly kind: 'end'; readonly picks: readonly number[] }
  | { readonly kind: 'read' }
  | { readonly kind: 'write' };

const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('begin' as const),
      gap: fc.oneof({ weight: 4, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(20_000) }),
      count: fc.integer({ min: 1, max: 20 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      picks: fc.array(fc.nat(), { minLength: 1, maxLength: 10 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'read' }) },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'write' }) },
);

/** A source and the books of its only partition, with the sets that both of them compress. */
class Partition {
  readonly mark: OffsetWatermark;
  books: PartitionBooks;
  readonly ended = new Set<bigint>();
  private readonly flying: bigint[] = [];
  private next: bigint;
  /** An entry that was made earlier and is written later. */
  private entry: PartitionBooks;

  constructor(readonly start: bigint) {
    this.mark = new OffsetWatermark({ low: start, maxRecords: 1000 });
    const none = { doneAbove: Buffer.alloc(0), gaps: 0n, boundaryTimestampMs: undefined };
    this.books = new PartitionBooks({ low: start, ...none });
    this.entry = this.books;
    this.next = start;
  }

  run(given: Step): void {
    if (given.kind === 'begin') this.begin(given.gap, given.count);
    else if (given.kind === 'end') this.end(given.picks);
    else if (given.kind === 'read') this.read();
    else this.books = this.books.merged(this.entry);
  }

  /** What the books know, against the sets. */
  compare(): { known: bigint; forgotten: bigint[]; invented: bigint[]; bytes: number } {
    const { low, gaps, doneAbove } = this.books;
    let above = 0n;
    for (const byte of doneAbove) above += BigInt(byte.toString(2).replaceAll('0', '').length);
    return {
      known: low - this.start - gaps + above,
      forgotten: [...this.ended].filter((offset) => !this.books.has(offset)),
      invented: this.flying.filter((offset) => this.books.has(offset)),
      bytes: doneAbove.length,
    };
  }

  private begin(gap: number, count: number): void {
    const first = this.next + BigInt(gap);
    const offsets = Array.from({ length: count }, (_, i) => this.mark.relative(first) + i);
    const room = this.mark.prefix(offsets, 0, count);
    if (room === 0) return;
    this.mark.begin(offsets, offsets, 0, room);
    for (let i = 0; i < room; i += 1) this.flying.push(first + BigInt(i));
    this.next = first + BigInt(room);
  }

  /** First the books, then the source, as Settlement does it. */
  private end(picks: readonly number[]): void {
    const ending: bigint[] = [];
    for (const pick of picks) {
      if (this.flying.length === 0) break;
      ending.push(...this.flying.splice(pick % this.flying.length, 1));
    }
    this.books = this.books.with(ending);
    for (const offset of ending) {
      this.ended.add(offset);
      this.mark.done(offset, offset);
    }
  }

  private read(): void {
    const { low, gaps, boundaryTimestampMs } = this.mark;
    this.entry = new PartitionBooks({
      low,
      gaps,
      boundaryTimestampMs,
      doneAbove: this.mark.doneAbove(),
    });
  }
}

describe('the books of a partition', () => {
  it('know exactly the records that ended, whatever order ends and watermarks come in (PB1, PB2, L8)', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 150 }),
        fc.constantFrom(0n, 7n, 2n ** 60n),
        (steps, start) => {
          const partition = new Partition(start);
          let low = start;
          for (const given of steps) {
            partition.run(given);
            const { bytes, ...state } = partition.compare();
            expect(state).toEqual({
              known: BigInt(partition.ended.size),
              forgotten: [],
              invented: [],
            });
            expect(bytes).toBeLessThanOrEqual(1024);
            expect(partition.books.low).toBeGreaterThanOrEqual(low);
            low = partition.books.low;
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
