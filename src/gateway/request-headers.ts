import type { Clock } from '#libs/flow-control';
import { TENANT_NAME, TENANT_NAME_RULE } from '../config/tenant-name.js';
import { NEVER_MS } from '../pipeline/expiry.js';
import { PRIORITIES, type Priority } from '../pipeline/record.js';
import { RequestError } from './request-error.js';
import { parseTimestamp } from './timestamp.js';

/** The tenant of a request that names none. */
export const DEFAULT_TENANT = 'default';
const LONGEST_WAIT_SECONDS = 30;
/** Characters of a wrong media type that are told back. */
const SHOWN_TYPE = 100;

/** Header fields as Node gives them. */
export type HeaderFields = Readonly<Record<string, string | string[] | undefined>>;

/** Throws `malformed` for a name that is too long or has other characters than letters, digits and `._-`. */
export function tenantOf(headers: HeaderFields): string {
  const given = headers['penstock-tenant'];
  if (given === undefined) return DEFAULT_TENANT;
  if (typeof given === 'string' && TENANT_NAME.test(given)) return given;
  throw new RequestError('malformed', `Penstock-Tenant must be ${TENANT_NAME_RULE}.`);
}

/** Undefined without the header. Throws `malformed` for a word that is no priority. */
export function priorityOf(headers: HeaderFields): Priority | undefined {
  const given = headers['penstock-priority'];
  if (given === undefined) return undefined;
  const priority = PRIORITIES.find((word) => word === given);
  if (priority !== undefined) return priority;
  throw new RequestError('malformed', `Penstock-Priority must be one of ${PRIORITIES.join(', ')}.`);
}

/**
 * Epoch ms of Penstock-Deadline, Infinity without it. Throws `malformed` for what is no RFC 3339 time, `deadline-passed`
 * for one that has passed.
 */
export function deadlineOf(headers: HeaderFields, clock: Clock): number {
  const given = headers['penstock-deadline'];
  if (given === undefined) return NEVER_MS;
  const deadlineMs = typeof given === 'string' ? parseTimestamp(given.trim()) : undefined;
  if (deadlineMs === undefined) {
    throw new RequestError(
      'malformed',
      'Penstock-Deadline must be an RFC 3339 time, such as 2026-01-01T12:00:00Z.',
    );
  }
  if (deadlineMs > clock.wallNow()) return deadlineMs;
  throw deadlinePassed();
}

export function deadlinePassed(): RequestError {
  return new RequestError('deadline-passed', 'Penstock-Deadline has passed.');
}

/**
 * Seconds that the caller would wait for the end of its record (`Prefer: wait=N`, RFC 7240), at most 30; undefined when
 * it states no such preference, or one that can't be read: those are ignored, as the RFC has it.
 */
export function waitSecondsOf(headers: HeaderFields): number | undefined {
  const given = headers['prefer'];
  if (given === undefined) return undefined;
  const fields = typeof given === 'string' ? given : given.join(',');
  for (const preference of fields.split(',')) {
    const match = /^\s*wait\s*=\s*(?:"(\d{1,9})"|(\d{1,9}))\s*(?:;.*)?$/i.exec(preference);
    // Of a preference that is stated twice the first counts.
    if (match !== null) return Math.min(Number(match[1] ?? match[2]), LONGEST_WAIT_SECONDS);
  }
  return undefined;
}

/** Whether the Accept header admits JSON. Absent: everything is admitted. */
export function acceptsJson(headers: HeaderFields): boolean {
  const { accept } = headers;
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return true;
  if (typeof accept !== 'string' || accept.trim() === '') return true;
  const qualities = new Map<string, number>();
  for (const range of accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    qualities.set(type, quality === undefined ? 1 : Number(quality.slice(2)));
  }
  // The most specific range decides.
  const quality =
    qualities.get('application/json') ?? qualities.get('application/*') ?? qualities.get('*/*');
  return quality !== undefined && quality > 0;
}

/** The media type of the body, in lower case and without its parameters; undefined when none is given. */
export function mediaTypeOf(headers: HeaderFields): string | undefined {
  const given = headers['content-type'];
  if (typeof given !== 'string') return undefined;
  if (given === 'application/json') return given;
  return given.split(';', 1)[0]?.trim().toLowerCase();
}

/** Throws `malformed` when nothing can follow the header fields, `unsupported-media-type` for a body of another type. */
export function requireBodyOf(headers: HeaderFields, supported: readonly string[]): void {
  const isEmpty =
    headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0;
  if (isEmpty) throw new RequestError('malformed', 'The request has no body.');
  const type = mediaTypeOf(headers);
  if (type !== undefined && supported.includes(type)) return;
  const given = type === undefined || type === '' ? 'no Content-Type' : type.slice(0, SHOWN_TYPE);
  throw new RequestError(
    'unsupported-media-type',
    `The body must be ${supported.join(' or ')} (got ${given}).`,
  );
}

/** Throws `unsupported-media-type` for an encoding or a character set that we don't read. */
export function requirePlainUtf8(headers: HeaderFields): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new RequestError('unsupported-media-type', 'The body must not be compressed.');
  }
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(
    String(headers['content-type'] ?? ''),
  )?.[1];
  if (charset !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(charset)) {
    throw new RequestError('unsupported-media-type', 'The character set must be UTF-8.');
  }
}
