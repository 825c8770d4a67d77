import fc from 'fast-check';
import {
  ATTRIBUTE_PREFIX,
  checkEvent,
  envelopeOf,
} from '../../src/gateway/cloud-events/cloud-event.js';
import { attributesOf } from '../../src/gateway/cloud-events/event-headers.js';
import { type Envelope, isIssues } from '../../src/gateway/records.schema.js';

/** Text as the specification allows it: no control characters, no halves of pairs, no non-characters. */
const character = fc
  .oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0xa0, max: 0x10ffff }))
  .filter((code) => !(code >= 0xd800 && code <= 0xdfff) && !(code >= 0xfdd0 && code <= 0xfdef))
  .filter((code) => (code & 0xfffe) !== 0xfffe)
  .map((code) => String.fromCodePoint(code));
const text = fc.array(character, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));
const extensionName = fc
  .stringMatching(/^[a-z0-9]{1,20}$/)
  .filter((name) => !(name in CORE) && name !== 'data');
const extensionValue = fc.oneof(
  text,
  fc.boolean(),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
);

const CORE = {
  specversion: fc.constant('1.0'),
  id: text,
  source: fc.webUrl(),
  type: text,
  subject: fc.option(text, { nil: undefined }),
  partitionkey: fc.option(text, { nil: undefined }),
  dataschema: fc.option(fc.webUrl(), { nil: undefined }),
  time: fc.constantFrom(undefined, '2026-01-01T00:00:00Z', '2026-01-01t00:00:00.123+01:30'),
  datacontenttype: fc.constantFrom('application/json', 'application/order+json'),
};
const event = fc
  .tuple(fc.record(CORE), fc.dictionary(extensionName, extensionValue, { maxKeys: 5 }))
  .map(([core, extensions]) => ({ ...extensions, ...core }));

/** The other side of the HTTP protocol binding, written from its text. */
function encode(value: unknown): string {
  return Array.from(String(value))
    .map((each) => {
      const isPlain = /^[\u0021-\u007e]$/.test(each) && each !== '"' && each !== '%';
      const bytes = [...Buffer.from(each)];
      return isPlain
        ? each
        : bytes.map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
    })
    .join('');
}

function headersOf({ datacontenttype, ...attributes }: Record<string, unknown>) {
  const fields = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return {
    'content-type': String(datacontenttype),
    ...Object.fromEntries(fields.map(([name, value]) => [`ce-${name}`, encode(value)])),
  };
}

/** What a receiver of the record makes of its headers. */
function attributesBack(envelope: Envelope): Record<string, string> {
  const entries = Object.entries(envelope.headers ?? {});
  return Object.fromEntries(
    entries.map(([name, value]) => [name.slice(ATTRIBUTE_PREFIX.length), value]),
  );
}

describe('CloudEvents', () => {
  it('keep every attribute as a header of the record, in binary mode as in the JSON format', () => {
    fc.assert(
      fc.property(event, fc.jsonValue(), (given, data) => {
        const structured = checkEvent(JSON.parse(JSON.stringify({ ...given, data })));
        if (isIssues(structured)) throw new Error(JSON.stringify(structured));
        const binary = envelopeOf(attributesOf(headersOf(given)), data);
        const expected = Object.entries(given).filter(([, value]) => value !== undefined);
        const texts = Object.fromEntries(expected.map(([name, value]) => [name, String(value)]));
        for (const envelope of [structured, binary]) {
          expect(attributesBack(envelope)).toEqual(texts);
          expect(envelope.key).toBe(given.partitionkey);
        }
        expect(structured.idempotencyKey).toEqual(binary.idempotencyKey);
        expect(structured.payload).toEqual(JSON.parse(JSON.stringify(data)));
        expect(binary.payload).toBe(data);
      }),
    );
  });

  it('are never taken with a header that the wire could not carry', () => {
    const anything = fc.dictionary(fc.string(), fc.anything());
    fc.assert(
      fc.property(event, anything, (given, more) => {
        const checked = checkEvent({ ...more, ...given, data: 1 });
        if (isIssues(checked)) return;
        for (const [name, value] of Object.entries(checked.headers ?? {})) {
          expect(name).toMatch(/^ce-[a-z0-9]+$/);
          // oxlint-disable-next-line no-control-regex
          expect(value).not.toMatch(/[\u0000-\u001f\u007f]/);
        }
      }),
    );
  });
});
