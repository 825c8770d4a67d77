/** Records of a record batch (format 2), written into one buffer. */

export type Bytes = Buffer | string | null | undefined;

export interface EncodableMessage {
  readonly key?: Bytes;
  readonly value: Bytes;
  readonly timestamp?: string;
  readonly headers?: Readonly<Record<string, Bytes | readonly Bytes[]>>;
}

/** Seven bits a byte; above that another byte follows. Arithmetic, since a time can be longer than 32 bits. */
const VARINT_BASE = 128;
const MAX_ASCII = 0x7f;
/** Up to here a text is counted and written character by character: a call out of JavaScript takes longer. */
const MAX_LOOPED_CHARACTERS = 64;

/** What is known of a record once it has been measured. */
interface Measured {
  /** Without the length in front of it. */
  readonly bytes: number;
  /** Headers: a name, its value, the next name. */
  readonly pairs: readonly Bytes[];
}

const NO_PAIRS: readonly Bytes[] = [];

/**
 * The records one after the other, behind `headBytes` free bytes. `deltas` are the differences of their times to that of
 * their batch, in ms.
 */
export function encodeRecords(
  messages: readonly EncodableMessage[],
  deltas: ArrayLike<number>,
  headBytes: number,
): Buffer {
  const measured = messages.map((message, i) => measure(message, i, deltas[i]!));
  let total = headBytes;
  for (const { bytes } of measured) total += sizeOfInt(bytes) + bytes;
  const buffer = Buffer.allocUnsafeSlow(total);
  let at = headBytes;
  for (let i = 0; i < messages.length; i += 1) {
    const { key, value } = messages[i]!;
    const { bytes, pairs } = measured[i]!;
    at = writeInt(buffer, at, bytes);
    buffer[at] = 0; // Attributes of a record: none are defined.
    at = writeInt(buffer, at + 1, deltas[i]!);
    at = writeInt(buffer, at, i);
    at = writeBytes(buffer, at, key);
    at = writeBytes(buffer, at, value);
    at = writeInt(buffer, at, pairs.length / 2);
    for (const each of pairs) at = writeBytes(buffer, at, each);
  }
  return buffer;
}

function measure(
  { key, value, headers }: EncodableMessage,
  index: number,
  delta: number,
): Measured {
  const pairs = headers === undefined ? NO_PAIRS : pairsOf(headers);
  let bytes = 1 + sizeOfInt(delta) + sizeOfInt(index) + sizeOf(key) + sizeOf(value);
  bytes += sizeOfInt(pairs.length / 2);
  for (const each of pairs) bytes += sizeOf(each);
  return { bytes, pairs };
}

function pairsOf(headers: NonNullable<EncodableMessage['headers']>): readonly Bytes[] {
  const pairs: Bytes[] = [];
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (isList(value)) for (const one of value) pairs.push(name, one);
    else pairs.push(name, value);
  }
  return pairs;
}

function isList(value: Bytes | readonly Bytes[]): value is readonly Bytes[] {
  return Array.isArray(value);
}

/** −1 is null. */
function lengthOf(bytes: Bytes): number {
  if (bytes === null || bytes === undefined) return -1;
  return typeof bytes === 'string' ? lengthOfText(bytes) : bytes.length;
}

function lengthOfText(text: string): number {
  const { length } = text;
  if (length > MAX_LOOPED_CHARACTERS) return Buffer.byteLength(text);
  for (let i = 0; i < length; i += 1) {
    if (text.charCodeAt(i) > MAX_ASCII) return Buffer.byteLength(text);
  }
  return length;
}

function sizeOf(bytes: Bytes): number {
  const length = lengthOf(bytes);
  return sizeOfInt(length) + Math.max(0, length);
}

const zigZag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

function sizeOfInt(value: number): number {
  let size = 1;
  for (let rest = zigZag(value); rest >= VARINT_BASE; size += 1)
    rest = Math.floor(rest / VARINT_BASE);
  return size;
}

/** Both write at `from` and return the index behind. */
function writeInt(buffer: Buffer, from: number, value: number): number {
  let at = from;
  let rest = zigZag(value);
  for (; rest >= VARINT_BASE; at += 1) {
    buffer[at] = (rest % VARINT_BASE) + VARINT_BASE;
    rest = Math.floor(rest / VARINT_BASE);
  }
  buffer[at] = rest;
  return at + 1;
}

function writeBytes(buffer: Buffer, from: number, bytes: Bytes): number {
  const length = lengthOf(bytes);
  const at = writeInt(buffer, from, length);
  if (bytes === null || bytes === undefined) return at;
  if (typeof bytes !== 'string') buffer.set(bytes, at);
  else if (length > MAX_LOOPED_CHARACTERS || length !== bytes.length)
    buffer.write(bytes, at, length, 'utf8');
  else for (let i = 0; i < length; i += 1) buffer[at + i] = bytes.charCodeAt(i);
  return at + length;
}
