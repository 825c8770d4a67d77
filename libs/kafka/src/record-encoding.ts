/** One record of a record batch (format 2) in one exact allocation. */

export type Bytes = Buffer | string | null | undefined;

export interface EncodableMessage {
  readonly key?: Bytes;
  readonly value: Bytes;
  readonly timestamp?: string;
  readonly headers?: Readonly<Record<string, Bytes | readonly Bytes[]>>;
}

/** What the encoder of kafkajs takes for one of its own. */
export interface EncodedRecord {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

/** Seven bits a byte; above that another byte follows. Arithmetic, since a time can be longer than 32 bits. */
const VARINT_BASE = 128;

export function encodeRecord(
  { key, value, headers = {} }: EncodableMessage,
  offsetDelta: number,
  timestampDelta: number,
): EncodedRecord {
  const pairs = pairsOf(headers);
  let body = 1 + sizeOfInt(timestampDelta) + sizeOfInt(offsetDelta) + sizeOf(key) + sizeOf(value);
  body += sizeOfInt(pairs.length);
  for (const [name, one] of pairs) body += sizeOf(name) + sizeOf(one);

  const buffer = Buffer.allocUnsafe(sizeOfInt(body) + body);
  let at = writeInt(buffer, 0, body);
  buffer[at] = 0; // Attributes of a record: none are defined.
  at = writeInt(buffer, at + 1, timestampDelta);
  at = writeInt(buffer, at, offsetDelta);
  at = writeBytes(buffer, at, key);
  at = writeBytes(buffer, at, value);
  at = writeInt(buffer, at, pairs.length);
  for (const [name, one] of pairs) at = writeBytes(buffer, writeBytes(buffer, at, name), one);
  return { buf: buffer, buffer };
}

type Pair = readonly [name: string, value: Bytes];

function pairsOf(headers: NonNullable<EncodableMessage['headers']>): Pair[] {
  const pairs: Pair[] = [];
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (isList(value)) for (const one of value) pairs.push([name, one]);
    else pairs.push([name, value]);
  }
  return pairs;
}

function isList(value: Bytes | readonly Bytes[]): value is readonly Bytes[] {
  return Array.isArray(value);
}

/** −1 is null. */
function lengthOf(bytes: Bytes): number {
  if (bytes === null || bytes === undefined) return -1;
  return typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
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
  if (typeof bytes === 'string') buffer.write(bytes, at, length, 'utf8');
  else buffer.set(bytes, at);
  return at + length;
}
