/**
 * PostgreSQL arrays in binary form, as parameters of the hot statements (`pg` sends a Buffer as a binary value).
 *
 * Layout: int32 dimensions (1), int32 has-nulls flag, int32 element oid, int32 length, int32 lower bound (1), then per
 * element int32 byte length (-1: null) and its bytes. About twice as fast as `pg`'s text arrays, and any byte is safe.
 */

const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const UUID_BYTES = 16;
/** Element types by their oid in pg_type. */
const OID = { bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, uuid: 2950 } as const;

/** A value of each hex digit's character code; -1 for every other character. */
const HEX_VALUES = Int8Array.from({ length: 256 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? -1 : value;
});

/** Encodes `uuid[]`. Throws a RangeError for text that isn't a UUID. */
export function uuidArray(ids: readonly string[]): Buffer {
  const array = fixedArray(OID.uuid, ids.length, UUID_BYTES);
  let at = HEADER_BYTES;
  for (const id of ids) {
    at = array.writeInt32BE(UUID_BYTES, at);
    writeUuid(array, id, at);
    at += UUID_BYTES;
  }
  return array;
}

/** Encodes `smallint[]`. */
export function int2Array(numbers: readonly number[]): Buffer {
  const array = fixedArray(OID.int2, numbers.length, 2);
  let at = HEADER_BYTES;
  for (const number of numbers) {
    at = array.writeInt32BE(2, at);
    at = array.writeInt16BE(number, at);
  }
  return array;
}

/** Encodes `integer[]`. */
export function int4Array(numbers: readonly number[]): Buffer {
  const array = fixedArray(OID.int4, numbers.length, 4);
  let at = HEADER_BYTES;
  for (const number of numbers) {
    at = array.writeInt32BE(4, at);
    at = array.writeInt32BE(number, at);
  }
  return array;
}

/** Encodes `bigint[]`. */
export function int8Array(numbers: readonly bigint[]): Buffer {
  const array = fixedArray(OID.int8, numbers.length, 8);
  let at = HEADER_BYTES;
  for (const number of numbers) {
    at = array.writeInt32BE(8, at);
    at = array.writeBigInt64BE(number, at);
  }
  return array;
}

/** Encodes `text[]`; a Buffer is text in UTF-8 already. */
export function textArray(values: readonly (string | Buffer | null)[]): Buffer {
  return variableArray(OID.text, values);
}

/** Encodes `bytea[]`. */
export function byteaArray(values: readonly (Buffer | null)[]): Buffer {
  return variableArray(OID.bytea, values);
}

function variableArray(oid: number, values: readonly (string | Buffer | null)[]): Buffer {
  const lengths = values.map(byteLengthOf);
  let bytes = HEADER_BYTES + LENGTH_BYTES * values.length;
  for (const length of lengths) bytes += Math.max(0, length);
  const array = Buffer.allocUnsafe(bytes);
  let at = writeHeader(array, oid, values.length, lengths.includes(NULL_LENGTH));
  for (const [index, value] of values.entries()) {
    const length = lengths[index]!;
    at = array.writeInt32BE(length, at);
    if (value === null) continue;
    if (typeof value === 'string') array.write(value, at, length, 'utf8');
    else array.set(value, at);
    at += length;
  }
  return array;
}

const NULL_LENGTH = -1;

function byteLengthOf(value: string | Buffer | null): number {
  if (value === null) return NULL_LENGTH;
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length;
}

function fixedArray(oid: number, length: number, elementBytes: number): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + length * (LENGTH_BYTES + elementBytes));
  writeHeader(array, oid, length, false);
  return array;
}

function writeHeader(array: Buffer, oid: number, length: number, hasNulls: boolean): number {
  let at = array.writeInt32BE(1, 0);
  at = array.writeInt32BE(hasNulls ? 1 : 0, at);
  at = array.writeInt32BE(oid, at);
  at = array.writeInt32BE(length, at);
  return array.writeInt32BE(1, at);
}

/** Writes the 32 hex digits of a UUID, wherever its dashes are, as 16 bytes. */
function writeUuid(target: Buffer, id: string, start: number): void {
  let at = start;
  let high = -1;
  for (let index = 0; index < id.length; index += 1) {
    const code = id.charCodeAt(index);
    if (code === DASH) continue;
    const value = code < HEX_VALUES.length ? HEX_VALUES[code]! : -1;
    if (value < 0 || at >= start + UUID_BYTES) throw notAUuid(id);
    if (high < 0) {
      high = value;
    } else {
      target[at] = (high << 4) | value;
      at += 1;
      high = -1;
    }
  }
  if (at !== start + UUID_BYTES || high >= 0) throw notAUuid(id);
}

const DASH = 45;

function notAUuid(id: string): RangeError {
  return new RangeError(`a record id must be a UUID (got "${id.slice(0, 64)}")`);
}
