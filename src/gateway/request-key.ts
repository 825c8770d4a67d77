import { createHash } from 'node:crypto';
import type { IdempotencyKey } from '../pipeline/record.js';
import type { EventAttributes } from './cloud-events/event-attributes.js';
import type { HeaderFields } from './request-headers.js';
import { RequestError } from './request-error.js';

/** Characters; a client needs a UUID's 36. */
const LONGEST_KEY = 255;
/** C0, DEL and C1: nobody can read them, and a log would show them wrong. */
const CONTROL = /\p{Cc}/u;

/** The part of a request that its fingerprint covers, beside the body. */
export interface KeyedRequest {
  readonly method: string;
  /** As it was sent; what follows `?` doesn't count. */
  readonly url: string;
  readonly headers: HeaderFields;
}

/**
 * The key of a request, and what each of its records is known by.
 *
 * RK1 the fingerprint is SHA-256 over method, path and the bytes of the record: a key that comes with other bytes, or to
 *     another route, was reused by mistake.
 * RK2 records of a batch have keys and fingerprints of their own (`key#index`), so each is kept or replayed by itself.
 */
export class RequestKey {
  private readonly target: string;

  constructor(
    readonly key: string,
    { method, url }: Pick<KeyedRequest, 'method' | 'url'>,
    /** Then nobody asks for a fingerprint of the whole body. */
    readonly isBatch = false,
  ) {
    const end = url.indexOf('?');
    this.target = `${method} ${end === -1 ? url : url.slice(0, end)}\n`;
  }

  /** Of a request with one record. */
  ofRecord(fingerprint: Buffer): IdempotencyKey {
    return { key: this.key, fingerprint };
  }

  /** Of the record at `index` of a batch. `content` is its text, as it was sent or written again. */
  ofElement(index: number, content: Buffer | string): IdempotencyKey {
    return { key: `${this.key}#${index}`, fingerprint: this.fingerprintOf(content) };
  }

  fingerprintOf(content: Buffer | string): Buffer {
    return createHash('sha256').update(this.target).update(content).digest();
  }
}

/** Undefined without the header. Throws `malformed` for a key that is empty, too long or has control characters. */
export function requestKeyOf(request: KeyedRequest, isBatch = false): RequestKey | undefined {
  const given = request.headers['idempotency-key'];
  if (given === undefined) return undefined;
  const isKey = typeof given === 'string' && given !== '' && given.length <= LONGEST_KEY;
  if (isKey && !CONTROL.test(given)) return new RequestKey(given, request, isBatch);
  throw new RequestError(
    'malformed',
    `Idempotency-Key must be 1 to ${LONGEST_KEY} characters without control characters.`,
  );
}

/**
 * The key of an event: whoever sends the same source and id sends the same event. A digest, since both may be long, and
 * apart from the keys that clients choose.
 *
 * RK3 the fingerprint is over the event, not over its request: it is the same event alone, in a batch and in either mode.
 *     `datacontenttype` is left out, since only binary mode always has it.
 */
export function eventIdentityOf(attributes: EventAttributes, payload: unknown): IdempotencyKey {
  const [id, source] = [attributes.get('id'), attributes.get('source')];
  const told = [...attributes].filter(([name]) => name !== 'datacontenttype');
  const sorted = told.toSorted(([a], [b]) => (a < b ? -1 : 1));
  const key = digestOf(JSON.stringify([source, id])).toString('base64url');
  return { key: `event:${key}`, fingerprint: digestOf(JSON.stringify([sorted, payload])) };
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
