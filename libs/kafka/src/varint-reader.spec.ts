import fc from 'fast-check';
import { VarintReader } from './varint-reader.js';

function encoded(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

describe('VarintReader', () => {
  it('reads every number of 64 bits, as near as a number can be, and no byte more', () => {
    const number = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -300_000_000n, max: 300_000_000n }),
      fc.bigInt({ min: -200n, max: 200n }),
    );
    fc.assert(
      fc.property(number, (value) => {
        const bytes = encoded(value);
        const reader = new VarintReader(Buffer.concat([bytes, Buffer.from([0x55])]), 0);
        expect(reader.read()).toBe(Number(value));
        expect(reader.at).toBe(bytes.length);
      }),
    );
  });

  it('refuses a number of more than 64 bits, however long the rest is', () => {
    const reader = new VarintReader(Buffer.alloc(100_000, 0xff), 0);
    expect(() => reader.read()).toThrow('more than 64 bits');
  });

  it('refuses to read or skip behind the end', () => {
    for (const length of [0, 1, 4, 9]) {
      const reader = new VarintReader(Buffer.alloc(length, 0xff), 0);
      expect(() => reader.read()).toThrow('ends in the middle');
      expect(() => reader.skip(length + 1)).toThrow('ends in the middle');
    }
    const reader = new VarintReader(Buffer.alloc(3), 1);
    expect([reader.skip(-1), reader.skip(0), reader.skip(2), reader.at]).toEqual([1, 1, 1, 3]);
  });
});
