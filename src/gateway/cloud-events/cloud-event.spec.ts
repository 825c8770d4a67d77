import { checkEvent, isJsonType } from './cloud-event.js';
import { attributesOf, decodeAttribute, isBinaryEvent } from './event-headers.js';
import type { RequestError } from '../request-error.js';

const EVENT = { specversion: '1.0', id: 'a-1', source: '/shop', type: 'order.placed' };
const event = (change: object = {}): unknown => ({ ...EVENT, data: { n: 1 }, ...change });
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a CloudEvent in the JSON format', () => {
  it('is a record: partitionkey is its key, data its payload, every attribute a header', () => {
    const checked = checkEvent(
      event({
        partitionkey: 'k',
        time: '2026-01-01T12:00:00Z',
        retries: -3,
        test: false,
        gone: null,
      }),
    );
    expect(checked).toEqual({
      key: 'k',
      payload: { n: 1 },
      headers: {
        'ce-specversion': '1.0',
        'ce-id': 'a-1',
        'ce-source': '/shop',
        'ce-type': 'order.placed',
        'ce-partitionkey': 'k',
        'ce-time': '2026-01-01T12:00:00Z',
        'ce-retries': '-3',
        'ce-test': 'false',
      },
      idempotencyKey: { key: expect.stringMatching(/^event:/), fingerprint: expect.any(Buffer) },
    });
    expect(checkEvent(event())).not.toHaveProperty('key');
  });

  it.each([
    [{ data: null }, null],
    [{ data: 'text', datacontenttype: 'text/plain' }, 'text'],
    [{ data: undefined, data_base64: base64('{"a":[1]}') }, { a: [1] }],
    [
      { data: undefined, data_base64: base64('"é"'), datacontenttype: 'application/a.b+json; x=1' },
      'é',
    ],
  ])('has the payload of %j', (change, payload) => {
    expect(checkEvent(event(change))).toMatchObject({ payload });
  });

  it.each([
    [{ specversion: undefined }, '/specversion', 'is required'],
    [{ specversion: '0.3' }, '/specversion', 'must be 1.0'],
    [{ specversion: 1 }, '/specversion', 'must be 1.0'],
    [{ id: null }, '/id', 'is required'],
    [{ id: '' }, '/id', 'must be text that is not empty'],
    [{ id: 7 }, '/id', 'must be text that is not empty'],
    [{ source: '' }, '/source', 'must be a URI reference'],
    [{ source: 'a b' }, '/source', 'must be a URI reference'],
    [{ type: undefined }, '/type', 'is required'],
    [{ time: 'yesterday' }, '/time', 'must be an RFC 3339 time'],
    [{ dataschema: 'schema' }, '/dataschema', 'must be an absolute URI'],
    [{ datacontenttype: 'json' }, '/datacontenttype', 'must be a media type'],
    [{ subject: '' }, '/subject', 'must be text that is not empty'],
    [{ partitionkey: '' }, '/partitionkey', 'must be text of 1 to 1024 characters'],
    [{ partitionkey: 'k'.repeat(1025) }, '/partitionkey', 'must be text of 1 to 1024 characters'],
    [{ Shop: 'x' }, '/Shop', 'is not an attribute of an event: lower-case letters and digits'],
    [{ shop: {} }, '/shop', 'must be text, true, false or a whole number of 32 bits'],
    [{ shop: 2 ** 31 }, '/shop', 'must be text, true, false or a whole number of 32 bits'],
    [{ shop: 1.5 }, '/shop', 'must be text, true, false or a whole number of 32 bits'],
    [{ shop: 'a\nb' }, '/shop', 'must not hold control characters'],
    [{ data: undefined }, '/data', 'is required'],
    [{ data_base64: 'AA==' }, '/data_base64', 'must not be given together with data'],
    [{ data: undefined, data_base64: '%' }, '/data_base64', 'must be base64'],
    [
      { data: undefined, data_base64: base64('{') },
      '/data_base64',
      'must be the base64 of JSON in UTF-8',
    ],
    [
      { data: undefined, data_base64: base64('{}'), datacontenttype: 'image/png' },
      '/data_base64',
      'is taken only when datacontenttype is JSON (got image/png)',
    ],
    [
      { data: undefined, data_base64: base64('{"a":"\\u0000"}') },
      '/data/a',
      'must not hold the character U+0000',
    ],
  ])('is refused with the path: %j', (change, path, message) => {
    expect(checkEvent(event(change))).toEqual([{ path, message }]);
  });

  it('is an object, with a bounded number of attributes', () => {
    for (const value of [null, [], 'event', 1]) expect(checkEvent(value)).toHaveLength(1);
    const many = Object.fromEntries(Array.from({ length: 61 }, (_, n) => [`a${n}`, 'x']));
    expect(checkEvent(event(many))).toEqual([
      { path: '', message: 'must have at most 64 attributes' },
    ]);
  });

  it('knows the media types of JSON', () => {
    const json = ['application/json', 'Application/JSON; charset=utf-8', 'application/a.b+json'];
    expect(json.map(isJsonType)).toEqual([true, true, true]);
    expect(['text/plain', 'application/jsonx', 'json'].map(isJsonType)).toEqual([
      false,
      false,
      false,
    ]);
  });
});

describe('a CloudEvent in binary mode', () => {
  const headers = {
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': 'a-1',
    'ce-source': '/shop',
    'ce-type': 'order.placed',
  };

  it('is told by any of the attributes that every event has', () => {
    expect(isBinaryEvent({})).toBe(false);
    expect(isBinaryEvent({ 'ce-subject': 'x' })).toBe(false);
    for (const name of ['ce-specversion', 'ce-id', 'ce-source', 'ce-type']) {
      expect(isBinaryEvent({ [name]: 'x' })).toBe(true);
    }
  });

  it('has its attributes in header fields, and datacontenttype in Content-Type', () => {
    const attributes = attributesOf({ ...headers, 'ce-subject': 'caf%C3%A9', accept: '*/*' });
    expect(Object.fromEntries(attributes)).toEqual({
      datacontenttype: 'application/json',
      specversion: '1.0',
      id: 'a-1',
      source: '/shop',
      type: 'order.placed',
      subject: 'café',
    });
  });

  it.each([
    ['plain', 'plain'],
    ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
    ['un%6Eeeded', 'unneeded'],
    ['%2541', '%41'],
    ['"quoted \\"text\\" \\\\ here"', 'quoted "text" \\ here'],
    ['"a%20b"', 'a b'],
    ['half"quoted', 'half"quoted'],
    ['%C0%A0', undefined],
    ['%ED%A0%80', undefined],
    ['100%', undefined],
    ['%zz', undefined],
    ['caf\u00c3\u00a9', undefined],
  ])('decodes %s', (value, expected) => {
    expect(decodeAttribute(value)).toBe(expected);
  });

  it.each([
    [{ 'ce-id': undefined }, '/id'],
    [{ 'ce-specversion': '1.1' }, '/specversion'],
    [{ 'ce-subject': '%C0' }, '/subject'],
    [{ 'ce-shop': '%00' }, '/shop'],
    [{ 'ce-datacontenttype': 'text/plain' }, '/datacontenttype'],
    [{ 'ce-data': 'x' }, '/data'],
    [{ 'ce-data_base64': 'x' }, '/data_base64'],
    [{ 'ce-__proto__': 'x' }, '/__proto__'],
    [{ 'ce-two-words': 'x' }, '/two-words'],
  ])('is refused with the path of the JSON format: %j', (change, path) => {
    let thrown: RequestError | undefined;
    try {
      attributesOf({ ...headers, ...change });
    } catch (error) {
      thrown = error as RequestError;
    }
    expect(thrown).toMatchObject({ code: 'invalid', facts: { errors: [{ path }] } });
  });
});
