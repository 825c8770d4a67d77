import * as fc from 'fast-check';
import { OffsetWatermark, WATERMARK_SPAN } from '#libs/kafka';

/** The same with sets: all offsets that began, ended, or were passed without a record. */
class SetModel {
  readonly inFlight = new Set<bigint>();
  readonly done = new Set<bigint>();
  next: bigint;
  low: bigint;

  constructor(
    low: bigint,
    done: Iterable<bigint>,
    private readonly start = low,
  ) {
    this.low = low;
    this.next = low;
    for (const offset of done) this.done.add(offset);
    this.settle();
  }

  settle(): void {
    const flying = [...this.inFlight];
    this.low = flying.length > 0 ? flying.reduce((a, b) => (a < b ? a : b)) : this.next;
    if (flying.length > 0) return;
    while (this.done.has(this.low)) this.low += 1n;
    this.next = this.low;
  }

  above(): bigint[] {
    return [...this.done].filter((offset) => offset >= this.low).toSorted((a, b) => Number(a - b));
  }

  gaps(): bigint {
    const records = [...this.done].filter((offset) => offset < this.low).length;
    return this.low - this.start - BigInt(records);
  }
}

const bitsOf = (bitmap: Buffer, low: bigint): bigint[] =>
  [...bitmap].flatMap((byte, i) =>
    Array.from({ length: 8 }, (_, bit) => bit)
      .filter((bit) => (byte & (1 << bit)) !== 0)
      .map((bit) => low + BigInt(i * 8 + bit)),
  );

type Step =
  | { kind: 'fetch'; gaps: number[]; tail: number }
  | { kind: 'done'; from: number; length: number }
  | { kind: 'reload' };

const gap = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 4000, max: 20_000 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('fetch' as const),
    gaps: fc.array(gap, { maxLength: 30 }),
    tail: fc.nat(5),
  }),
  fc.record({ kind: fc.constant('done' as const), from: fc.nat(200), length: fc.nat(20) }),
  fc.record({ kind: fc.constant('reload' as const) }),
);

const MAX_RECORDS = 64;

/** One fetch, as the hand-off loop treats it; stops where nothing more may begin. */
function fetch(
  mark: OffsetWatermark,
  model: SetModel,
  { gaps, tail }: Step & { kind: 'fetch' },
): void {
  let offset = model.next - 1n;
  const offsets = gaps.map((width) => (offset += BigInt(width + 1)));
  const relative = offsets.map((each) => mark.parse(`${each}`));
  let i = 0;
  while (i < offsets.length) {
    const isDuplicate = mark.isDuplicate(relative[i] ?? 0);
    const each = offsets[i] ?? 0n;
    expect(isDuplicate).toBe(each < model.next || model.done.has(each));
    if (isDuplicate) {
      i += 1;
      continue;
    }
    const count = mark.prefix(relative, i, 7);
    if (count === 0) return;
    mark.begin(relative, relative, i, count);
    for (const begun of offsets.slice(i, i + count)) {
      if (model.inFlight.size === 0) {
        model.next = begun > model.next ? begun : model.next;
        model.settle();
      }
      model.inFlight.add(begun);
      model.next = begun + 1n;
    }
    i += count;
    model.settle();
  }
  const end = (offsets.at(-1) ?? model.next - 1n) + BigInt(tail + 1);
  mark.pass(mark.parse(`${end}`));
  if (end > model.next) {
    model.next = end;
    model.settle();
  }
}

/** Ends a run of records in flight, and expects that exactly these were. */
function complete(
  mark: OffsetWatermark,
  model: SetModel,
  { from, length }: Step & { kind: 'done' },
): void {
  const flying = [...model.inFlight].toSorted((a, b) => Number(a - b));
  const run = flying.slice(from % (flying.length || 1)).slice(0, length);
  const ended = run.length === 0 ? 0 : mark.done(run[0] ?? 0n, run.at(-1) ?? 0n);
  expect(ended).toBe(run.length);
  for (const offset of run) {
    model.inFlight.delete(offset);
    model.done.add(offset);
  }
  model.settle();
}

describe('OffsetWatermark against sets', () => {
  it('agrees on low, next, bitmap and gaps after any fetches, completions and reloads (T1, T2, T3)', () => {
    const property = fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.oneof(fc.nat(1000).map(BigInt), fc.constant(2n ** 60n)),
      (steps, start) => {
        let mark = new OffsetWatermark({ low: start, maxRecords: MAX_RECORDS });
        let model = new SetModel(start, []);
        let lowBefore = start;
        for (const each of steps) {
          if (each.kind === 'fetch') fetch(mark, model, each);
          else if (each.kind === 'done') complete(mark, model, each);
          else {
            const { low, gaps, boundaryTimestampMs } = mark;
            const doneAbove = mark.doneAbove();
            const options = { low, doneAbove, gaps, boundaryTimestampMs, maxRecords: MAX_RECORDS };
            mark = new OffsetWatermark(options);
            model = new SetModel(model.low, model.done, start);
          }
          expect(mark.low).toBe(model.low);
          expect(mark.next).toBe(model.next);
          expect(mark.inFlight).toBe(model.inFlight.size);
          expect(bitsOf(mark.doneAbove(), mark.low)).toEqual(model.above());
          expect(mark.gaps).toBe(model.gaps());
          expect(mark.low >= lowBefore).toBe(true);
          expect(mark.inFlight).toBeLessThanOrEqual(MAX_RECORDS);
          expect(mark.doneAbove().length).toBeLessThanOrEqual(WATERMARK_SPAN / 8);
          lowBefore = mark.low;
        }
      },
    );
    fc.assert(property, { numRuns: 400 });
  });
});
