import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { CodecMissingError } from './errors/codec-missing.error.js';
import { lz4Size, missingCodec, optionalCodec, zstdContentBytes } from './optional-codecs.js';

const KIB = 1024;
const noise = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 7919) % 251));
const text = Buffer.concat([Buffer.from('penstock '.repeat(60_000)), noise]);
const absent = (): never => {
  throw new Error('Cannot find module');
};
/** What Node 22.15 has, on top of gzip: how it is called is what matters here. */
const node = {
  zstdCompress: zlib.gzip as never,
  zstdDecompress: zlib.gunzip as never,
};

describe('optionalCodec', () => {
  it.each(['lz4', 'zstd'] as const)('compresses and restores with %s', async (name) => {
    const codec = optionalCodec(name, text.length, undefined, {});
    expect(await codec.decompress(await codec.compress({ buffer: text }))).toEqual(text);
  });

  it.each(['lz4', 'zstd'] as const)(
    'refuses a batch of %s that grows beyond the bound',
    async (name) => {
      // The bound of lz4 is as exact as its blocks are small.
      const large = name === 'lz4' ? Buffer.alloc(9 * KIB * KIB, 'penstock ') : text;
      const small = await optionalCodec(name, large.length, undefined, {}).compress({
        buffer: large,
      });
      const bounded = optionalCodec(name, 100 * KIB, undefined, {});
      await expect(bounded.decompress(small)).rejects.toThrow(
        'A compressed batch holds more than the 102400 bytes allowed.',
      );
    },
  );

  it('takes what Node has of zstd, with the bound', async () => {
    const codec = optionalCodec('zstd', 1000, absent, node);
    const small = await codec.compress({ buffer: noise.subarray(0, 1000) });
    expect(small).toEqual(await promisify(zlib.gzip)(noise.subarray(0, 1000)));
    expect(await codec.decompress(small)).toEqual(noise.subarray(0, 1000));
    await expect(codec.decompress(await codec.compress({ buffer: noise }))).rejects.toThrow('1000');
  });

  it('names the package that is not installed', () => {
    const make = () => optionalCodec('zstd', 1, absent, {});
    expect(make).toThrow(CodecMissingError);
    expect(make).toThrow(
      'Compression zstd needs the package @bokuweb/zstd-wasm, which is not installed: npm install @bokuweb/zstd-wasm',
    );
    expect(['none', 'gzip', 'lz4', 'zstd'].map((name) => missingCodec(name))).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('takes a zstd frame that does not say its size, as Java producers write it', async () => {
    const asked: number[] = [];
    const streamed = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0, 0]);
    const decompress = (_: Buffer, { defaultHeapSize }: { defaultHeapSize: number }) => {
      asked.push(defaultHeapSize);
      if (defaultHeapSize < 3 * KIB * KIB) throw new Error('Failed to compress with code -70');
      return new Uint8Array([1, 2, 3]);
    };
    const load = () => ({ init: () => Promise.resolve(), decompress });
    const codec = optionalCodec('zstd', 8 * KIB * KIB, load, {});
    expect(zstdContentBytes(streamed)).toBeUndefined();
    expect(await codec.decompress(streamed)).toEqual(Buffer.from([1, 2, 3]));
    expect(asked).toEqual([KIB * KIB, 4 * KIB * KIB]);
    const smaller = optionalCodec('zstd', 2 * KIB * KIB, load, {});
    await expect(smaller.decompress(streamed)).rejects.toThrow('-70');
  });

  it('knows what a frame says of its size', async () => {
    const zstd = optionalCodec('zstd', text.length, undefined, {});
    for (const length of [100, 5000, 100_000, text.length]) {
      const buffer = text.subarray(0, length);
      expect(zstdContentBytes(await zstd.compress({ buffer }))).toBe(BigInt(length));
    }
    const lz4 = await optionalCodec('lz4', text.length).compress({ buffer: text });
    expect(lz4Size(lz4).bytesAtMost).toBeGreaterThanOrEqual(text.length);
  });
});
