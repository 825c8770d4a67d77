import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import kafkajs from 'kafkajs';
import snappy, { type Codec } from 'kafkajs-snappy';
import { optionalCodec, type OptionalCompression } from './optional-codecs.js';

const { CompressionCodecs, CompressionTypes } = kafkajs;
const compressGzip = promisify(gzip);
const decompressGzip = promisify(gunzip);

export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export interface CompressionOptions {
  /** What the producer will use. */
  readonly needed?: Compression;
  /** Largest size of one batch after decompression: limits of a fetch count compressed bytes, and a batch can expand. */
  readonly maxDecompressedBytes: number;
}

export const compressionType = (compression: Compression): number =>
  ({
    none: CompressionTypes.None,
    gzip: CompressionTypes.GZIP,
    snappy: CompressionTypes.Snappy,
    lz4: CompressionTypes.LZ4,
    zstd: CompressionTypes.ZSTD,
  })[compression];

const tooLarge = (bytes: number, maxBytes: number): RangeError =>
  new RangeError(`A compressed batch holds ${bytes} bytes, more than the ${maxBytes} allowed.`);

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;
const BLOCK_HEADER_BYTES = 4;

/** A snappy block begins with its length after decompression: seven bits a byte, lowest first. */
function blockBytes(block: Buffer): number {
  let bytes = 0;
  let scale = 1;
  for (const byte of block.subarray(0, 5)) {
    bytes += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
    scale *= 128;
  }
  return bytes;
}

/** The size after decompression, of a plain block or of the frames that Java producers write. */
export function snappyBytes(buffer: Buffer): number {
  if (!buffer.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return blockBytes(buffer);
  let sum = 0;
  for (let at = XERIAL_HEADER_BYTES; at + BLOCK_HEADER_BYTES <= buffer.length;) {
    const length = buffer.readUInt32BE(at);
    at += BLOCK_HEADER_BYTES;
    sum += blockBytes(buffer.subarray(at, at + length));
    at += length;
  }
  return sum;
}

function boundedSnappy(maxBytes: number): Codec {
  const codec = snappy();
  return {
    compress: (encoder) => codec.compress(encoder),
    decompress: async (buffer) => {
      const bytes = snappyBytes(buffer);
      if (bytes > maxBytes) throw tooLarge(bytes, maxBytes);
      return codec.decompress(buffer);
    },
  };
}

const boundedGzip = (maxBytes: number): Codec => ({
  compress: ({ buffer }) => compressGzip(buffer),
  decompress: (buffer) => decompressGzip(buffer, { maxOutputLength: maxBytes }),
});

/**
 * Registers the codecs with kafkajs, for the whole process. Throws a CodecMissingError when the producer needs one whose
 * package is not installed; a batch that was read and needs it fails with the same error.
 */
export function registerCodecs({ needed, maxDecompressedBytes }: CompressionOptions): void {
  CompressionCodecs[CompressionTypes.GZIP] = () => boundedGzip(maxDecompressedBytes);
  CompressionCodecs[CompressionTypes.Snappy] = () => boundedSnappy(maxDecompressedBytes);
  // Loaded at the first batch: most services never meet one.
  const [lz4, zstd] = [
    onDemand('lz4', maxDecompressedBytes),
    onDemand('zstd', maxDecompressedBytes),
  ];
  CompressionCodecs[CompressionTypes.LZ4] = lz4;
  CompressionCodecs[CompressionTypes.ZSTD] = zstd;
  if (needed === 'lz4') lz4();
  if (needed === 'zstd') zstd();
}

/** kafkajs asks for the codec at every batch. */
function onDemand(compression: OptionalCompression, maxBytes: number): () => Codec {
  let codec: Codec | undefined;
  return () => (codec ??= optionalCodec(compression, maxBytes));
}
