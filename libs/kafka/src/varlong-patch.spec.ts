import fc from 'fast-check';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import { patchVarLong } from './varlong-patch.js';

const logger = { warn: jest.fn() };
const prototype: { readVarLong: (this: Decoder) => { toString(): string } } = Decoder.prototype;
const original = prototype.readVarLong;

function encoded(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

describe('patchVarLong', () => {
  beforeAll(() => patchVarLong(logger));
  afterAll(() => {
    prototype.readVarLong = original;
  });

  it('reads every number as kafkajs does, and as many bytes', () => {
    const number = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -300_000_000n, max: 300_000_000n }),
      fc.bigInt({ min: -200n, max: 200n }),
    );
    fc.assert(
      fc.property(number, (value) => {
        const bytes = Buffer.concat([encoded(value), Buffer.from([0x55])]);
        const [before, after] = [new Decoder(bytes), new Decoder(bytes)];
        expect(after.readVarLong().toString()).toBe(original.call(before).toString());
        expect(after.offset).toBe(before.offset);
      }),
    );
  });

  it('is applied once', () => {
    const { readVarLong } = prototype;
    expect(patchVarLong(logger)).toBe(true);
    expect(prototype.readVarLong).toBe(readVarLong);
  });

  it('leaves a method that it does not know, and warns', () => {
    const other = { readVarLong: () => 1 };
    expect(patchVarLong(logger, other)).toBe(false);
    expect(other.readVarLong()).toBe(1);
    expect(logger.warn).toHaveBeenCalledTimes(1);
  });
});
