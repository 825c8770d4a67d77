import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { Codec } from 'kafkajs-snappy';
import { CodecMissingError } from './errors/codec-missing.error.js';

/** Codecs that neither kafkajs nor every supported Node has. */
export type OptionalCompression = 'lz4' | 'zstd';

interface Lz4 {
  compressFrame(data: Buffer): Promise<Buffer>;
  decompressFrame(data: Buffer): Promise<Buffer>;
}

interface ZstdWasm {
  init(): Promise<void>;
  compress(data: Buffer): Uint8Array;
  decompress(data: Buffer, options: { defaultHeapSize: number }): Uint8Array;
}

/** Of Node 22.15 and later. */
interface ZstdOfNode {
  zstdCompress?: (data: Buffer, callback: (error: Error | null, result: Buffer) => void) => void;
  zstdDecompress?: (
    data: Buffer,
    options: { maxOutputLength: number },
    callback: (error: Error | null, result: Buffer) => void,
  ) => void;
}

const loadModule: (name: string) => unknown = createRequire(import.meta.url);

/** What each is made of; prebuilt, so that nothing is compiled at its installation. */
const PACKAGES = { lz4: 'lz4-napi', zstd: '@bokuweb/zstd-wasm' } as const;

const tooLarge = (maxBytes: number): RangeError =>
  new RangeError(`A compressed batch holds more than the ${maxBytes} bytes allowed.`);

/** Throws a CodecMissingError when its package is not installed. `load` is how modules are found. */
export function optionalCodec(
  compression: OptionalCompression,
  maxBytes: number,
  load: (name: string) => unknown = loadModule,
  node: ZstdOfNode = zlib as ZstdOfNode,
): Codec {
  if (compression === 'lz4') return lz4Codec(found<Lz4>('lz4', load), maxBytes);
  const { zstdCompress, zstdDecompress } = node;
  if (zstdCompress !== undefined && zstdDecompress !== undefined) {
    const [compress, decompress] = [promisify(zstdCompress), promisify(zstdDecompress)];
    return {
      compress: ({ buffer }) => compress(buffer),
      decompress: (buffer) => decompress(buffer, { maxOutputLength: maxBytes }),
    };
  }
  return zstdCodec(found<ZstdWasm>('zstd', load), maxBytes);
}

/** Why batches of this compression can't be made, as a sentence; undefined when they can. */
export function missingCodec(compression: string): string | undefined {
  if (compression !== 'lz4' && compression !== 'zstd') return undefined;
  try {
    optionalCodec(compression, 1);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function found<T>(compression: OptionalCompression, load: (name: string) => unknown): T {
  try {
    return load(PACKAGES[compression]) as T;
  } catch (cause) {
    throw new CodecMissingError(compression, PACKAGES[compression], { cause });
  }
}

const lz4Codec = (lz4: Lz4, maxBytes: number): Codec => ({
  compress: ({ buffer }) => lz4.compressFrame(buffer),
  decompress: (buffer) => {
    const { bytesAtMost, blockBytes } = lz4Size(buffer);
    // The last block may be smaller than the rest.
    if (bytesAtMost > maxBytes + blockBytes) return Promise.reject(tooLarge(maxBytes));
    return lz4.decompressFrame(buffer);
  },
});

/** Magic number, flags and block descriptor. */
const LZ4_DESCRIPTOR_BYTES = 6;
const LZ4_CONTENT_SIZE_FLAG = 0x08;
const LZ4_DICTIONARY_FLAG = 0x01;
const LZ4_BLOCK_CHECKSUM_FLAG = 0x10;
const LZ4_UNCOMPRESSED = 0x8000_0000;
/** A byte of a block stands for at most so many. */
const LZ4_MAX_RATIO = 255;

/** Largest size that an LZ4 frame can expand to: its blocks are of a bounded size, which the frame says. */
export function lz4Size(frame: Buffer): { bytesAtMost: number; blockBytes: number } {
  const flags = frame[4] ?? 0;
  const blockBytes = 4 ** (((frame[5] ?? 0) >> 4) & 7) * 256;
  const checksumBytes = flags & LZ4_BLOCK_CHECKSUM_FLAG ? 4 : 0;
  const sizeBytes = flags & LZ4_CONTENT_SIZE_FLAG ? 8 : 0;
  const dictionaryBytes = flags & LZ4_DICTIONARY_FLAG ? 4 : 0;
  let at = LZ4_DESCRIPTOR_BYTES + sizeBytes + dictionaryBytes + 1;
  let sum = 0;
  while (at + 4 <= frame.length) {
    const word = frame.readUInt32LE(at);
    const length = word % LZ4_UNCOMPRESSED;
    if (length === 0) break;
    sum += word >= LZ4_UNCOMPRESSED ? length : Math.min(blockBytes, length * LZ4_MAX_RATIO);
    at += 4 + length + checksumBytes;
  }
  return { bytesAtMost: sum, blockBytes };
}

/** Memory for a frame that does not say its size (Java's producers don't), at first; more when it is not enough. */
const ZSTD_FIRST_BYTES = 1_048_576;
const ZSTD_GROWTH = 4;

/** Begun once in a process: a second time would swap the memory under calls that run. */
const begun = new WeakMap<ZstdWasm, Promise<void>>();

function zstdCodec(zstd: ZstdWasm, maxBytes: number): Codec {
  const whenReady = (): Promise<void> => {
    const ready = begun.get(zstd) ?? zstd.init();
    begun.set(zstd, ready);
    return ready;
  };
  return {
    compress: async ({ buffer }) => {
      await whenReady();
      return Buffer.from(zstd.compress(buffer));
    },
    decompress: async (buffer) => {
      await whenReady();
      if ((zstdContentBytes(buffer) ?? 0n) > BigInt(maxBytes)) throw tooLarge(maxBytes);
      for (let bytes = Math.min(ZSTD_FIRST_BYTES, maxBytes); ; bytes *= ZSTD_GROWTH) {
        const defaultHeapSize = Math.min(bytes, maxBytes);
        try {
          return Buffer.from(zstd.decompress(buffer, { defaultHeapSize }));
        } catch (error) {
          // Damaged, or larger than the memory it was given; the library does not tell which.
          if (defaultHeapSize === maxBytes || zstdContentBytes(buffer) !== undefined) throw error;
        }
      }
    },
  };
}

/** The size after decompression that a zstd frame says; undefined when it says none (RFC 8878, 3.1.1.1). */
export function zstdContentBytes(frame: Buffer): bigint | undefined {
  const descriptor = frame[4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >> 6;
  const sizeBytes = sizeCode === 0 ? (isSingleSegment ? 1 : 0) : 2 ** sizeCode;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  if (sizeBytes === 0 || at + sizeBytes > frame.length) return undefined;
  if (sizeBytes === 8) return frame.readBigUInt64LE(at);
  return BigInt(frame.readUIntLE(at, sizeBytes)) + (sizeBytes === 2 ? 256n : 0n);
}
