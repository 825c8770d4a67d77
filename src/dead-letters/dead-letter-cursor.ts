/** Where a page ends: the time of its last letter, to the microsecond as the database keeps it, and the letter's id. */
export interface DeadLetterCursor {
  readonly at: string;
  readonly id: string;
}

/** RFC 3339 with six digits of a second, in UTC. */
const AT = /^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const ID = /^[1-9]\d{0,17}$/;
const LONGEST_CURSOR = 100;

/** Opaque to callers, who give it back as it came. */
export function cursorText({ at, id }: DeadLetterCursor): string {
  return Buffer.from(`${at} ${id}`).toString('base64url');
}

/** Undefined for what `cursorText` has not made. */
export function parseCursor(text: string): DeadLetterCursor | undefined {
  if (text.length > LONGEST_CURSOR) return undefined;
  const [at = '', id = '', ...rest] = Buffer.from(text, 'base64url').toString().split(' ');
  const isOurs = rest.length === 0 && AT.test(at) && ID.test(id) && !Number.isNaN(Date.parse(at));
  return isOurs ? { at, id } : undefined;
}
