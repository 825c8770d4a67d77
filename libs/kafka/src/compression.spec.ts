import { gzipSync } from 'node:zlib';
import kafkajs from 'kafkajs';
import snappy from 'kafkajs-snappy';
import { compressionType, COMPRESSIONS, registerCodecs, snappyBytes } from './compression.js';

const { CompressionCodecs, CompressionTypes } = kafkajs;
interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}
const codec = (type: 1 | 2 | 3 | 4): Codec => CompressionCodecs[type]() as Codec;

describe('registerCodecs', () => {
  const text = Buffer.from('penstock '.repeat(100));
  const compressed = async (): Promise<Buffer> => snappy().compress({ buffer: text });

  /** As Java producers write it: a header, then blocks with their length. */
  const framed = async (): Promise<Buffer> => {
    const block = await compressed();
    const length = Buffer.alloc(4);
    length.writeUInt32BE(block.length);
    const header = Buffer.concat([Buffer.from([130, 83, 78, 65, 80, 80, 89, 0]), Buffer.alloc(8)]);
    return Buffer.concat([header, length, block, length, block]);
  };

  it('makes gzip and snappy work both ways (C18)', async () => {
    registerCodecs({ needed: 'snappy', maxDecompressedBytes: 10_000 });
    for (const type of [CompressionTypes.GZIP, CompressionTypes.Snappy] as const) {
      const each = codec(type);
      expect(await each.decompress(await each.compress({ buffer: text }))).toEqual(text);
    }
    expect(await codec(2).decompress(await framed())).toEqual(Buffer.concat([text, text]));
  });

  it('refuses a batch that grows beyond the bound', async () => {
    registerCodecs({ maxDecompressedBytes: 899 });
    await expect(codec(2).decompress(await compressed())).rejects.toThrow(
      'A compressed batch holds 900 bytes, more than the 899 allowed.',
    );
    await expect(codec(2).decompress(await framed())).rejects.toThrow(/1800 bytes/);
    await expect(codec(1).decompress(gzipSync(text))).rejects.toThrow(
      'Cannot create a Buffer larger than 899 bytes',
    );
    expect(snappyBytes(Buffer.alloc(0))).toBe(0);
  });

  it('makes lz4 and zstd work both ways, with packages that are there', async () => {
    registerCodecs({ needed: 'lz4', maxDecompressedBytes: 10_000 });
    for (const type of [CompressionTypes.LZ4, CompressionTypes.ZSTD] as const) {
      const each = codec(type);
      const small = await each.compress({ buffer: text });
      expect(small.length).toBeLessThan(text.length / 4);
      expect(await each.decompress(small)).toEqual(text);
      expect(codec(type)).toBe(each);
    }
  });

  it('knows the numbers of the protocol', () => {
    expect(COMPRESSIONS.map((name) => compressionType(name))).toEqual([0, 1, 2, 3, 4]);
  });
});
