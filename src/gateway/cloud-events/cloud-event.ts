import type { ValidationIssue } from '../../pipeline/record.js';
import { areAttributes, checkAttributes, type EventAttributes } from './event-attributes.js';
import { parseJsonBody } from '../json/json-body.js';
import type { Envelope } from '../records.schema.js';
import { RequestError } from '../request-error.js';
import { eventIdentityOf } from '../request-key.js';

/** What follows `ce-` in the name of a record's header is the name of the attribute. */
export const ATTRIBUTE_PREFIX = 'ce-';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** What the JSON format takes the data for when the event does not say. */
const DEFAULT_CONTENT_TYPE = 'application/json';
const JSON_TYPE = /^(?:application\/json|[\w-]+\/[\w!#$&^.-]+\+json)\s*(?:;|$)/i;

type Checked = Envelope | readonly ValidationIssue[];

/** A media type of JSON, its parameters left aside. */
export function isJsonType(mediaType: string): boolean {
  return JSON_TYPE.test(mediaType);
}

/** Checks a CloudEvent in the JSON format; paths of the issues begin at the event. */
export function checkEvent(value: unknown): Checked {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ path: '', message: 'must be an event: an object' }];
  }
  const event = value as Readonly<Record<string, unknown>>;
  const attributes = checkAttributes(event);
  if (!areAttributes(attributes)) return attributes;
  const contentType = attributes.get('datacontenttype') ?? DEFAULT_CONTENT_TYPE;
  const data = dataOf(event, contentType);
  return Array.isArray(data.issues) ? data.issues : envelopeOf(attributes, data.payload);
}

/**
 * The record of an event: `partitionkey` is its key, `data` its payload, and every attribute a header `ce-…`, so that
 * whoever receives the record has the whole event.
 */
export function envelopeOf(attributes: EventAttributes, payload: unknown): Envelope {
  const key = attributes.get('partitionkey');
  const headers = Object.fromEntries(
    [...attributes].map(([name, text]) => [ATTRIBUTE_PREFIX + name, text]),
  );
  const idempotencyKey = eventIdentityOf(attributes, payload);
  return { ...(key === undefined ? {} : { key }), payload, headers, idempotencyKey };
}

interface EventData {
  readonly payload?: unknown;
  readonly issues?: readonly ValidationIssue[];
}

function dataOf(event: Readonly<Record<string, unknown>>, contentType: string): EventData {
  const { data, data_base64: encoded } = event;
  if (encoded === undefined || encoded === null) {
    return data === undefined ? wrong('/data', 'is required') : { payload: data };
  }
  const path = '/data_base64';
  if (data !== undefined) return wrong(path, 'must not be given together with data');
  if (!isJsonType(contentType)) {
    return wrong(path, `is taken only when datacontenttype is JSON (got ${contentType})`);
  }
  if (typeof encoded !== 'string' || !BASE64.test(encoded)) return wrong(path, 'must be base64');
  return decoded(Buffer.from(encoded, 'base64'), path);
}

function decoded(bytes: Buffer, path: string): EventData {
  try {
    const { value, issues } = parseJsonBody(bytes);
    if (issues.length === 0) return { payload: value };
    return { issues: issues.map((issue) => ({ ...issue, path: `/data${issue.path}` })) };
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return wrong(path, 'must be the base64 of JSON in UTF-8');
  }
}

function wrong(path: string, message: string): EventData {
  return { issues: [{ path, message }] };
}
