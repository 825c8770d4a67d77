/**
 * The hash that gives a key its partition: Kafka's murmur2 over the UTF-8 bytes of the key, so that a
 * record gets the same partition number here, in a Kafka producer and after a restart (N1).
 *
 * Flow: `murmur2Key` hashes an ASCII key straight from its characters; the first other character sends
 * it to the encoder, which writes into one buffer of this file. Neither allocates for keys of ordinary size.
 *
 * Invariants: (1) `murmur2Key(key) === murmur2(utf8(key))` for every string, a lone surrogate encoded
 * as U+FFFD. (2) The sign bit is masked, not negated: `abs` overflows on the smallest integer.
 */
const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;
const NON_NEGATIVE_MASK = 0x7fffffff;
const FIRST_NON_ASCII = 0x80;

/** UTF-8 takes at most three bytes for one UTF-16 unit (a pair of units takes four). */
const MAX_BYTES_PER_UNIT = 3;
/** Keys of up to 1 365 characters are encoded without an allocation; longer ones are rare. */
const SCRATCH_BYTES = 4096;

const encoder = new TextEncoder();
const scratch = new Uint8Array(SCRATCH_BYTES);

/** Hash of `bytes` as a signed 32-bit integer, equal to Kafka's `Utils.murmur2`. */
export function murmur2(bytes: Uint8Array): number {
  return hashBytes(bytes, bytes.length);
}

/** Hash of the UTF-8 form of `key`; the same number as `murmur2` of its bytes. */
export function murmur2Key(key: string): number {
  const length = key.length;
  const wordsEnd = length & ~3;
  let hash = SEED ^ length;
  let seen = 0;
  for (let i = 0; i < wordsEnd; i += 4) {
    const a = key.charCodeAt(i);
    const b = key.charCodeAt(i + 1);
    const c = key.charCodeAt(i + 2);
    const d = key.charCodeAt(i + 3);
    seen |= a | b | c | d;
    hash = mixWord(hash, a | (b << 8) | (c << 16) | (d << 24));
  }
  let tail = 0;
  for (let i = length - 1; i >= wordsEnd; i--) {
    const code = key.charCodeAt(i);
    seen |= code;
    tail = (tail << 8) | code;
  }
  if (seen >= FIRST_NON_ASCII) return hashEncoded(key);
  return finish(hash, tail, length > wordsEnd);
}

/** Partition of `key` among `partitions` (≥ 1), as Kafka's default partitioner places it. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2Key(key) & NON_NEGATIVE_MASK) % partitions;
}

function hashEncoded(key: string): number {
  if (key.length * MAX_BYTES_PER_UNIT > SCRATCH_BYTES) return murmur2(encoder.encode(key));
  return hashBytes(scratch, encoder.encodeInto(key, scratch).written);
}

function hashBytes(bytes: Uint8Array, length: number): number {
  const wordsEnd = length & ~3;
  let hash = SEED ^ length;
  for (let i = 0; i < wordsEnd; i += 4) {
    hash = mixWord(
      hash,
      byteAt(bytes, i) |
        (byteAt(bytes, i + 1) << 8) |
        (byteAt(bytes, i + 2) << 16) |
        (byteAt(bytes, i + 3) << 24),
    );
  }
  let tail = 0;
  for (let i = length - 1; i >= wordsEnd; i--) tail = (tail << 8) | byteAt(bytes, i);
  return finish(hash, tail, length > wordsEnd);
}

/** The caller keeps `index` below the length, which the compiler cannot see. */
function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function mixWord(hash: number, word: number): number {
  let mixed = Math.imul(word, MULTIPLIER);
  mixed ^= mixed >>> 24;
  return Math.imul(hash, MULTIPLIER) ^ Math.imul(mixed, MULTIPLIER);
}

function finish(hash: number, tail: number, hasTail: boolean): number {
  // A tail of zero bytes is still multiplied in, so the test is on its presence, not on its value.
  let mixed = hasTail ? Math.imul(hash ^ tail, MULTIPLIER) : hash;
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, MULTIPLIER);
  return mixed ^ (mixed >>> 15);
}
