/** RFC 3339: date, `T`, time, `Z` or an offset; letters in either case. Seconds may be 60, a leap second. */
const TIMESTAMP =
  /^(\d{4}-\d\d-\d\d)[Tt](([01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
const MS_PER_SECOND = 1000;

/** Epoch ms of an RFC 3339 time, cut to whole ms; undefined for any other text, and for days that no month has. */
export function parseTimestamp(text: string): number | undefined {
  const match = TIMESTAMP.exec(text);
  if (match === null) return undefined;
  const [, date = '', minutes = '', , seconds = '', fraction = '', zone = ''] = match;
  // The platform's parser takes 30 February for 2 March.
  if (new Date(`${date}T00:00Z`).toJSON()?.startsWith(date) !== true) return undefined;
  const minuteMs = Date.parse(`${date}T${minutes}${zone.toUpperCase()}`);
  return minuteMs + Number(seconds) * MS_PER_SECOND + Math.trunc(Number(`0${fraction}`) * 1000);
}
