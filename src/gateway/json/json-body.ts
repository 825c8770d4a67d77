import { isUtf8 } from 'node:buffer';
import type { ValidationIssue } from '../../pipeline/record.js';
import { jsonIssues } from './json-issues.js';
import { isPlainJson } from './json-scan.js';
import { RequestError } from '../request-error.js';

export interface JsonBody {
  readonly value: unknown;
  /** Why parts of it can't be kept; empty for nearly every body. */
  readonly issues: readonly ValidationIssue[];
}

const NO_ISSUES: readonly ValidationIssue[] = Object.freeze([]);
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Reads a JSON text, as the platform's parser does (of a name that occurs twice the last value counts; `__proto__` is a
 * name like any other). Throws `malformed` when the bytes are not UTF-8 or not JSON.
 */
export function parseJsonBody(bytes: Buffer): JsonBody {
  if (bytes.length === 0) throw new RequestError('malformed', 'The body is empty.');
  if (!isUtf8(bytes)) throw new RequestError('malformed', 'The body is not valid UTF-8.');
  const text = bytes.toString('utf8');
  const value = parse(text);
  return { value, issues: isPlainJson(bytes) ? NO_ISSUES : jsonIssues(text) };
}

/** The bytes without a byte order mark at their begin, which some senders write. */
export function withoutByteOrderMark(bytes: Buffer): Buffer {
  const hasMark = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
  return hasMark ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The parser's own message quotes the body.
    throw new RequestError('malformed', 'The body is not valid JSON.');
  }
}
