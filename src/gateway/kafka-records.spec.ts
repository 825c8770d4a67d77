import type { SourceRecord } from '#libs/kafka';
import { freeLot } from '../../test/support/ledger.js';
import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { KafkaRecords } from './kafka-records.js';

const ANY = {
  '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) },
};

type Message = Partial<Omit<SourceRecord, 'value'>> & { readonly value?: string | Buffer | null };

function read(
  { value = '{}', ...fields }: Message,
  definition: Partial<AnyPipelineDefinition> = {},
  incarnation = 1,
): PipelineRecord {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const source: SourceRecord = {
    offset: 42n,
    timestampMs: 0,
    key: null,
    headers: undefined,
    sizeBytes: 7,
    ...fields,
    value: bytes,
  };
  const completion = { done: () => undefined };
  const slice = { topic: 'orders', incarnation, partition: 3, records: [source], completion };
  const records = new KafkaRecords({ name: 'test', ...definition });
  return records.of(slice, freeLot(), 1000)[0]!;
}

const issuesOf = ({ verdict }: PipelineRecord): string[] =>
  verdict?.kind === 'invalid'
    ? verdict.issues.map(({ path, message }) => `${path} ${message}`)
    : [];

describe('A Kafka record', () => {
  it('has its position as id, and is durable from the beginning', () => {
    const record = read({ value: '{"a":1}', key: Buffer.from('ada') });
    expect(record).toMatchObject({
      id: 'orders:3:42',
      source: 'kafka',
      tenant: 'default',
      priority: 'normal',
      key: 'ada',
      payload: { a: 1 },
      sizeBytes: 7,
      acceptedAtMs: 1000,
      verdict: undefined,
    });
    expect(read({}, {}, 2).id).toBe('orders@2:3:42');
  });

  it('keeps the bytes of its value as they came', () => {
    const value = Buffer.from('{ "a" : 1.0 }');
    expect(read({ value }).body).toBe(value);
  });

  it('has no key when the message has none', () => {
    expect(read({}).key).toBeUndefined();
    expect(read({ key: Buffer.alloc(0) }).key).toBe('');
  });

  it.each([
    ['is not UTF-8', Buffer.from([0xff, 0x01])],
    ['holds U+0000', Buffer.from([0, 0, 0, 7])],
  ])('has the base64 of a key that %s, and its exact bytes', (_, key) => {
    expect(read({ key })).toMatchObject({ key: key.toString('base64'), keyBytes: key });
  });

  it('has its headers as text; what is none as base64, and the last of equal names', () => {
    const headers = [
      ['Trace', Buffer.from('ü')],
      ['n', Buffer.from([0xff])],
      ['__proto__', Buffer.from('data')],
      ['Trace', Buffer.from('last')],
    ] as const;
    const expected = { Trace: 'last', n: '/w==', ['__proto__']: 'data' };
    expect(Object.entries(read({ headers }).headers ?? {})).toEqual(Object.entries(expected));
  });

  it.each([
    ['no JSON', 'nonsense', ' must be JSON in UTF-8'],
    ['empty', '', ' must be JSON in UTF-8'],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22]), ' must be JSON in UTF-8'],
    ['text with U+0000', '{"a":"\\u0000"}', '/a must not hold the character U+0000'],
    ['text with half a pair', '{"a":"\\ud800"}', '/a must not hold half of a surrogate pair'],
    [
      'nested too deeply',
      '['.repeat(65) + ']'.repeat(65),
      `${'/0'.repeat(64)} must not be nested deeper than 64 levels`,
    ],
  ])('is invalid with a value that is %s', (_, value, issue) => {
    expect(issuesOf(read({ value }))).toEqual([issue]);
  });

  it('may begin with a byte order mark, which is not passed on', () => {
    const record = read({ value: Buffer.from('\ufeff{"a":1}') });
    expect(record).toMatchObject({ payload: { a: 1 }, verdict: undefined });
    expect(record.body?.toString()).toBe('{"a":1}');
  });

  it('keeps an unsafe number, whose bytes go on as they are, and says where it is', () => {
    const record = read({ value: '{"n":12345678901234567890}' });
    expect(record).toMatchObject({ verdict: undefined, unsafeNumber: '/n' });
  });

  it('is invalid as a tombstone, unless there is a schema to ask or values are bytes', () => {
    expect(issuesOf(read({ value: null }))).toEqual([' must not be null (a tombstone)']);
    const nothing = { payload: null, body: null, verdict: undefined };
    expect(read({ value: null }, { schema: ANY as never })).toMatchObject(nothing);
    expect(read({ value: null }, { format: 'bytes' })).toMatchObject(nothing);
  });

  it('has its value as a Buffer with the format `bytes`, whatever it holds', () => {
    const value = Buffer.from([0xff, 0]);
    expect(read({ value }, { format: 'bytes' })).toMatchObject({ payload: value, body: value });
  });
});
