import type { ValidationIssue } from '../../pipeline/record.js';
import { ATTRIBUTE_PREFIX } from './cloud-event.js';
import { areAttributes, checkAttributes, type EventAttributes } from './event-attributes.js';
import { escapePointer } from '../json/json-issues.js';
import type { HeaderFields } from '../request-headers.js';
import { invalidRecord } from '../request-error.js';

const PRINTABLE = /^[\x20-\x7e]*$/;
const NOT_DECODED = 'must be percent-encoded UTF-8 where it is not printable ASCII';

/** Whether a request is a CloudEvent in binary mode: it has one of the attributes that every event has. */
export function isBinaryEvent(headers: HeaderFields): boolean {
  return (
    headers['ce-specversion'] !== undefined ||
    headers['ce-id'] !== undefined ||
    headers['ce-type'] !== undefined ||
    headers['ce-source'] !== undefined
  );
}

/**
 * The attributes of an event in binary mode, by the HTTP protocol binding: header fields `ce-…`, quoted strings unquoted,
 * then percent-decoded once; `datacontenttype` is Content-Type. Throws `invalid` with the paths of the JSON format.
 */
export function attributesOf(headers: HeaderFields): EventAttributes {
  const given: Record<string, unknown> = { datacontenttype: headers['content-type'] };
  const issues: ValidationIssue[] = [];
  for (const [field, value] of Object.entries(headers)) {
    if (value === undefined || !field.startsWith(ATTRIBUTE_PREFIX)) continue;
    const name = field.slice(ATTRIBUTE_PREFIX.length);
    const text = decodeAttribute(String(value));
    const message = wrongName(name) ?? (text === undefined ? NOT_DECODED : undefined);
    if (message === undefined) given[name] = text;
    else issues.push({ path: `/${escapePointer(name)}`, message });
  }
  if (issues.length > 0) throw invalidRecord(issues);
  const attributes = checkAttributes(given);
  if (areAttributes(attributes)) return attributes;
  throw invalidRecord(attributes);
}

/** Undefined for a value that is not encoded as the binding asks for. */
export function decodeAttribute(value: string): string | undefined {
  // The platform gives bytes above ASCII as if they were Latin-1: nobody knows what they were meant to be.
  if (!PRINTABLE.test(value)) return undefined;
  try {
    return decodeURIComponent(unquoted(value));
  } catch {
    return undefined;
  }
}

/** A quoted string (RFC 9110) without its quotes; senders of older versions write them. */
function unquoted(value: string): string {
  const match = /^"((?:[^"\\]|\\.)*)"$/.exec(value);
  return match === null ? value : match[1]!.replace(/\\(.)/g, '$1');
}

function wrongName(name: string): string | undefined {
  if (name === 'datacontenttype') return 'is the Content-Type in binary mode';
  const isNone = name.startsWith('data_') || name === 'data' || name === '__proto__';
  return isNone ? 'is not an attribute of an event' : undefined;
}
