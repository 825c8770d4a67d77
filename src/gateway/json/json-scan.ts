import { ALWAYS_SAFE_DIGITS, isSafeNumber } from './json-number.js';

/** Deepest nesting of a body; whatever walks a payload may recurse. */
export const MAX_NESTING = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
/** Turns E into e, and a letter of a hex digit into lower case. */
const LOWER_CASE_BIT = 0x20;
const LETTER_E = 0x65;
const SIGNS_AND_POINT: ReadonlySet<number> = new Set([0x2b, 0x2d, 0x2e]);
/** `\uXXXX` */
const ESCAPE_BYTES = 6;

/**
 * Proves in one pass over the bytes that a JSON text holds nothing we refuse: no U+0000, no half of a surrogate pair,
 * no number that would lose digits, no nesting above 64. True also for text that is not JSON: the parser says so.
 *
 * In UTF-8 that is valid, U+0000 and lone surrogates can only be written as escapes.
 */
export function isPlainJson(bytes: Uint8Array): boolean {
  const end = bytes.length;
  let depth = 0;
  let at = 0;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = afterString(bytes, at + 1);
      if (at === -1) return false;
    } else if (byte <= DIGIT_9 && byte >= DIGIT_0) {
      at = afterNumber(bytes, at);
      if (at === -1) return false;
    } else {
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        depth += 1;
        if (depth > MAX_NESTING) return false;
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        depth -= 1;
      }
      at += 1;
    }
  }
  return true;
}

/** Index behind the closing quote; −1 when the string holds something we refuse. */
function afterString(bytes: Uint8Array, from: number): number {
  const end = bytes.length;
  let at = from;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte !== BACKSLASH) {
      at += 1;
    } else if (bytes[at + 1] === LETTER_U) {
      at = afterUnicodeEscape(bytes, at);
      if (at === -1) return -1;
    } else {
      at += 2;
    }
  }
  return end;
}

function afterUnicodeEscape(bytes: Uint8Array, at: number): number {
  const unit = codeUnit(bytes, at);
  if (unit === 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return -1;
  if (unit < 0xd800 || unit > 0xdbff) return at + ESCAPE_BYTES;
  const next = at + ESCAPE_BYTES;
  if (bytes[next] !== BACKSLASH || bytes[next + 1] !== LETTER_U) return -1;
  const low = codeUnit(bytes, next);
  return low >= 0xdc00 && low <= 0xdfff ? next + ESCAPE_BYTES : -1;
}

/** Value of the escape at `at`. Digits that are none give some number: the parser refuses the text anyway. */
function codeUnit(bytes: Uint8Array, at: number): number {
  let unit = 0;
  for (let i = at + 2; i < at + ESCAPE_BYTES; i += 1) unit = unit * 16 + hexValue(bytes[i] ?? 0);
  return unit;
}

function hexValue(byte: number): number {
  return byte <= DIGIT_9 ? byte - DIGIT_0 : (byte | LOWER_CASE_BIT) - 0x57;
}

/** Index behind the number that begins at `start`; −1 when it would lose digits. */
function afterNumber(bytes: Uint8Array, start: number): number {
  const end = bytes.length;
  let digits = 0;
  let hasExponent = false;
  let at = start;
  for (; at < end; at += 1) {
    const byte = bytes[at]!;
    if (byte >= DIGIT_0 && byte <= DIGIT_9) digits += 1;
    else if ((byte | LOWER_CASE_BIT) === LETTER_E) hasExponent = true;
    else if (!SIGNS_AND_POINT.has(byte)) break;
  }
  if (digits <= ALWAYS_SAFE_DIGITS && !hasExponent) return at;
  return isSafeNumber(String.fromCharCode(...bytes.subarray(start, at))) ? at : -1;
}
