import fc from 'fast-check';
import { murmur2, murmur2Key, partitionOf } from '../../libs/flow-control/src/partition/murmur2.js';
import { twoChoices } from '../../libs/flow-control/src/partition/two-choices.js';

const WORD = 0xffffffffn;
const M = 0x5bd1e995n;

/** Kafka's `Utils.murmur2`, line by line, in whole numbers of any size. */
function slowMurmur2(data: Uint8Array): number {
  const times = (a: bigint, b: bigint): bigint => (a * b) & WORD;
  const at = (i: number): bigint => BigInt(data[i] ?? 0);
  const whole = data.length - (data.length % 4);
  let h = 0x9747b28cn ^ BigInt(data.length);
  for (let i = 0; i < whole; i += 4) {
    let k = at(i) + (at(i + 1) << 8n) + (at(i + 2) << 16n) + (at(i + 3) << 24n);
    k = times(k, M);
    k ^= k >> 24n;
    k = times(k, M);
    h = times(h, M) ^ k;
  }
  const rest = data.length % 4;
  if (rest >= 3) h ^= at(whole + 2) << 16n;
  if (rest >= 2) h ^= at(whole + 1) << 8n;
  if (rest >= 1) h = times(h ^ at(whole), M);
  h ^= h >> 13n;
  h = times(h, M);
  h ^= h >> 15n;
  return Number(BigInt.asIntN(32, h));
}

const anyText = fc.oneof(
  fc.string({ maxLength: 100 }),
  fc.string({ unit: 'binary', maxLength: 100 }),
  // Any UTF-16 units, lone surrogates among them.
  fc
    .array(fc.nat({ max: 0xffff }), { maxLength: 50 })
    .map((units) => String.fromCharCode(...units)),
  // Around the size of the encoding buffer.
  fc
    .tuple(fc.constantFrom('a', 'ü', '😀', '語'), fc.integer({ min: 1300, max: 1400 }))
    .map(([letter, times]) => letter.repeat(times)),
);

describe('murmur2', () => {
  it('hashes any bytes as the slow reference does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(murmur2(bytes)).toBe(slowMurmur2(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it('hashes any text by its UTF-8 bytes', () => {
    fc.assert(
      fc.property(anyText, (key) => {
        expect(murmur2Key(key)).toBe(slowMurmur2(Buffer.from(key, 'utf8')));
      }),
      { numRuns: 1000 },
    );
  });

  it('places every key in a partition that exists, always the same (N1)', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 1, max: 1000 }), (key, partitions) => {
        const partition = partitionOf(key, partitions);

        expect(Number.isInteger(partition)).toBe(true);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(partitions);
        expect(partitionOf(`${key}`, partitions)).toBe(partition);
      }),
    );
  });
});

describe('twoChoices', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

  it('returns a candidate of which at least one other is not less loaded', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 20 }), { minLength: 2, maxLength: 20 }),
        share,
        share,
        (loads, a, b) => {
          const draws = [a, b];
          const candidates = loads.map((_, i) => i + 100);
          const asked: number[] = [];
          const chosen = twoChoices(
            candidates,
            (partition) => {
              asked.push(partition);
              return loads[partition - 100] ?? Number.NaN;
            },
            () => draws.shift() ?? Number.NaN,
          );
          const [drawnTwo, drawnOne] = asked;

          expect(candidates).toContain(drawnOne);
          expect(candidates).toContain(drawnTwo);
          expect(drawnOne).not.toBe(drawnTwo);
          const loadOf = (partition = 0): number => loads[partition - 100] ?? Number.NaN;
          const expected = loadOf(drawnTwo) < loadOf(drawnOne) ? drawnTwo : drawnOne;
          expect(chosen).toBe(expected);
          expect(drawnOne).toBe(100 + Math.floor(a * loads.length));
        },
      ),
    );
  });

  it('draws every ordered pair of different candidates equally often', () => {
    const count = 5;
    const pairs = new Map<string, number>();
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < count - 1; j++) {
        const draws = [(i + 0.5) / count, (j + 0.5) / (count - 1)];
        const asked: number[] = [];
        const collect = (partition: number): number => asked.push(partition);
        twoChoices([0, 1, 2, 3, 4], collect, () => draws.shift() ?? Number.NaN);
        pairs.set(asked.join(), (pairs.get(asked.join()) ?? 0) + 1);
      }
    }

    expect(pairs.size).toBe(count * (count - 1));
    expect([...pairs.values()].every((times) => times === 1)).toBe(true);
  });

  it('keeps ten partitions far closer together than single draws do', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        let state = seed;
        const random = (): number => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return state / 2 ** 32;
        };
        const partitions = Array.from({ length: 10 }, (_, i) => i);
        const loads = Array.from(partitions, () => 0);
        const loadOf = (partition: number): number => loads[partition] ?? Number.NaN;
        for (let i = 0; i < 10_000; i++) {
          const chosen = twoChoices(partitions, loadOf, random);
          loads[chosen] = loadOf(chosen) + 1;
        }

        // Single draws differ by about 100 here.
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(20);
      }),
      { numRuns: 20 },
    );
  });
});
