/** The reversed polynomial of Castagnoli. */
const POLYNOMIAL = 0x82f63b78;
/** Bytes that one step takes. */
const STEP = 8;
const TABLES = makeTables();

/** Table `n` tells what a byte does to the checksum that `n` more bytes follow on. */
function makeTables(): Int32Array {
  const tables = new Int32Array(STEP * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i += 1) {
    const before = tables[i - 256]!;
    tables[i] = (before >>> 8) ^ tables[before & 0xff]!;
  }
  return tables;
}

/**
 * CRC-32C of the bytes from `from` on, unsigned. Eight bytes a step ("slicing by 8": Kounavis and Berry, A Systematic
 * Approach to Building High Performance Software-based CRC Generators, 2005).
 */
export function crc32c(bytes: Uint8Array, from = 0): number {
  const table = TABLES;
  const { length } = bytes;
  let crc = -1;
  let i = from;
  for (const last = length - STEP; i <= last; i += STEP) {
    const low =
      crc ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    crc =
      table[0x700 | (low & 0xff)]! ^
      table[0x600 | ((low >>> 8) & 0xff)]! ^
      table[0x500 | ((low >>> 16) & 0xff)]! ^
      table[0x400 | (low >>> 24)]! ^
      table[0x300 | bytes[i + 4]!]! ^
      table[0x200 | bytes[i + 5]!]! ^
      table[0x100 | bytes[i + 6]!]! ^
      table[bytes[i + 7]!]!;
  }
  for (; i < length; i += 1) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
