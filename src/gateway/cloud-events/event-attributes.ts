import type { ValidationIssue } from '../../pipeline/record.js';
import { escapePointer } from '../json/json-issues.js';
import { parseTimestamp } from '../timestamp.js';

/** The attributes of a CloudEvent by name, each as its canonical text. */
export type EventAttributes = ReadonlyMap<string, string>;

const MAX_ATTRIBUTES = 64;
/** The specification asks senders for at most 20. */
const NAME = /^[a-z0-9]{1,64}$/;
/** Of the form in which the JSON format gives the data; never attributes. */
const DATA_MEMBERS: ReadonlySet<string> = new Set(['data', 'data_base64']);
/** Characters that the specification keeps out of every attribute, and with them out of header fields. */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\ufdd0-\ufdef\ufffe\uffff]/;
const LONGEST_PARTITION_KEY = 1024;
const LEAST_INTEGER = -(2 ** 31);
const LARGEST_INTEGER = 2 ** 31 - 1;

const URI_CHARACTERS = '[^\\s<>"{}|\\\\^`]';
const URI = new RegExp(`^[A-Za-z][A-Za-z0-9+.-]*:${URI_CHARACTERS}*$`);
const URI_REFERENCE = new RegExp(`^${URI_CHARACTERS}+$`);
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(;.*)?$/;

interface Attribute {
  readonly isRequired?: true;
  /** Reads after "must be". */
  readonly rule: string;
  readonly isRight: (text: string) => boolean;
}

const isNotEmpty = (text: string): boolean => text !== '';
const TEXT = { rule: 'text that is not empty', isRight: isNotEmpty };
const MEDIA: Attribute = {
  rule: 'a media type',
  isRight: (text) => MEDIA_TYPE.test(text),
};
const TIME: Attribute = {
  rule: 'an RFC 3339 time',
  isRight: (text) => parseTimestamp(text) !== undefined,
};

/** Those that have a rule of their own; every other one is an extension. */
const KNOWN: ReadonlyMap<string, Attribute> = new Map<string, Attribute>([
  ['specversion', { isRequired: true, rule: '1.0', isRight: (text) => text === '1.0' }],
  ['id', { isRequired: true, ...TEXT }],
  [
    'source',
    { isRequired: true, rule: 'a URI reference', isRight: (text) => URI_REFERENCE.test(text) },
  ],
  ['type', { isRequired: true, ...TEXT }],
  ['datacontenttype', MEDIA],
  ['dataschema', { rule: 'an absolute URI', isRight: (text) => URI.test(text) }],
  ['subject', TEXT],
  ['time', TIME],
  [
    'partitionkey',
    {
      rule: `text of 1 to ${LONGEST_PARTITION_KEY} characters`,
      isRight: (text) => text !== '' && text.length <= LONGEST_PARTITION_KEY,
    },
  ],
]);

/**
 * Checks the attributes of an event (CloudEvents 1.0), given as its JSON format has them or as decoded header fields.
 * Paths of the issues are those of the JSON format. Null is an attribute that is not set; `data` is no attribute.
 */
export function checkAttributes(
  given: Readonly<Record<string, unknown>>,
): EventAttributes | readonly ValidationIssue[] {
  const attributes = new Map<string, string>();
  const issues: ValidationIssue[] = [];
  for (const [name, value] of Object.entries(given)) {
    if (DATA_MEMBERS.has(name) || value === null || value === undefined) continue;
    const message = add(attributes, name, value);
    if (message !== undefined) issues.push({ path: `/${escapePointer(name)}`, message });
  }
  for (const [name, { isRequired }] of KNOWN) {
    const isMissing = isRequired === true && (given[name] ?? null) === null;
    if (isMissing) issues.push({ path: `/${name}`, message: 'is required' });
  }
  if (attributes.size > MAX_ATTRIBUTES) {
    issues.push({ path: '', message: `must have at most ${MAX_ATTRIBUTES} attributes` });
  }
  return issues.length === 0 ? attributes : issues;
}

export function areAttributes(
  checked: EventAttributes | readonly ValidationIssue[],
): checked is EventAttributes {
  return checked instanceof Map;
}

/** Adds an attribute, or says what is wrong with it. */
function add(attributes: Map<string, string>, name: string, value: unknown): string | undefined {
  if (!NAME.test(name)) return 'is not an attribute of an event: lower-case letters and digits';
  const known = KNOWN.get(name);
  const text = known === undefined ? canonical(value) : value;
  if (typeof text !== 'string') {
    return known === undefined
      ? 'must be text, true, false or a whole number of 32 bits'
      : `must be ${known.rule}`;
  }
  if (FORBIDDEN.test(text)) return 'must not hold control characters';
  if (known !== undefined && !known.isRight(text)) return `must be ${known.rule}`;
  attributes.set(name, text);
  return undefined;
}

function canonical(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  const isInteger =
    Number.isInteger(value) &&
    (value as number) >= LEAST_INTEGER &&
    (value as number) <= LARGEST_INTEGER;
  return isInteger ? String(value) : undefined;
}
