import { parseJsonBody, withoutByteOrderMark } from './json-body.js';
import { RequestError } from '../request-error.js';

const parse = (text: string) => parseJsonBody(Buffer.from(text));
const pathsIn = (text: string) => parse(text).issues.map(({ path }) => path);
const codeOf = (bytes: Buffer): string => {
  try {
    parseJsonBody(bytes);
    return 'none';
  } catch (error) {
    return error instanceof RequestError ? error.code : String(error);
  }
};

describe('parseJsonBody', () => {
  it('gives what the platform parser gives, and no issue, for a plain body', () => {
    const text =
      '{"key":"a","payload":{"n":[1,-2.5,1e5,true,null],"s":"\\u00e9 \\ud83d\\ude00 é 😀"}}';
    expect(parse(text)).toEqual({ value: JSON.parse(text), issues: [] });
  });

  it('refuses bytes that are not UTF-8, wherever they are', () => {
    expect(codeOf(Buffer.from([0x22, 0xff, 0x22]))).toBe('malformed');
    expect(codeOf(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBe('malformed');
    expect(codeOf(Buffer.from([0x22, 0xc0, 0x80, 0x22]))).toBe('malformed');
  });

  it('refuses what is not JSON without quoting it', () => {
    const secret = '{"password": hunter2}';
    expect(codeOf(Buffer.from(secret))).toBe('malformed');
    expect(() => parse(secret)).toThrow('The body is not valid JSON.');
    expect(codeOf(Buffer.from(''))).toBe('malformed');
  });

  it('takes a byte order mark at the begin only', () => {
    expect(parseJsonBody(withoutByteOrderMark(Buffer.from('\uFEFF{"a":1}'))).value).toEqual({
      a: 1,
    });
    expect(codeOf(Buffer.from('{"a":\uFEFF1}'))).toBe('malformed');
    expect(codeOf(Buffer.from('\uFEFF1'))).toBe('malformed');
  });

  it('names the place of U+0000 in values and in names', () => {
    expect(pathsIn('{"payload":{"a/b":["x","\\u0000"]}}')).toEqual(['/payload/a~1b/1']);
    expect(pathsIn('{"payload":{"a\\u0000":1}}')).toEqual(['/payload/a\0']);
    expect(pathsIn('{"payload":"\\\\u0000"}')).toEqual([]);
  });

  it('names the place of half a surrogate pair, and lets whole pairs pass', () => {
    expect(pathsIn('["\\ud83d","\\ude00","\\ude00\\ud83d","\\ud83d\\ude00","\\ud83dx"]')).toEqual([
      '/0',
      '/1',
      '/2',
      '/4',
    ]);
  });

  it.each([
    ['9007199254740991', true],
    ['-9007199254740991', true],
    ['9007199254740992', false],
    ['-9007199254740993', false],
    ['12345678901234567890', false],
    ['12345678901234567.0', false],
    ['0.30000000000000004', true],
    ['0.10000000000000001', true],
    ['0.1234567890123456789', false],
    ['1.00000000000000000000', true],
    ['1e20', true],
    ['1.2345678901234567e+30', true],
    ['1e400', false],
    ['-1E400', false],
    ['1e-400', false],
    ['0e-400', true],
    ['0.0000000000000000000000001', true],
    ['-0', true],
  ])('takes %s: %s', (number, isTaken) => {
    expect(pathsIn(`{"payload":[${number}]}`)).toEqual(isTaken ? [] : ['/payload/0']);
  });

  it('does not look for numbers in text', () => {
    expect(pathsIn('{"payload":"12345678901234567890, 1e400"}')).toEqual([]);
  });

  it('takes 64 levels of nesting and refuses 65, without depending on the stack', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(pathsIn(nested(64))).toEqual([]);
    expect(pathsIn(nested(65))).toEqual(['/0'.repeat(64)]);
    expect(pathsIn(nested(400_000))).toHaveLength(1);
    expect(pathsIn(`{"s":"${'['.repeat(100)}"}`)).toEqual([]);
    expect(pathsIn(`[${'[],'.repeat(1000)}[]]`)).toEqual([]);
  });

  it('keeps __proto__ and constructor as names', () => {
    const { value } = parse('{"payload":{"__proto__":{"isAdmin":true},"constructor":1}}');
    const { payload } = value as { payload: Record<string, unknown> };
    expect(Object.keys(payload)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(payload)).toBe(Object.prototype);
    expect(payload['isAdmin']).toBeUndefined();
  });

  it('counts the last value of a name that occurs twice', () => {
    expect(parse('{"a":"\\u0000","b":1,"a":2}')).toEqual({ value: { a: 2, b: 1 }, issues: [] });
    expect(pathsIn('{"a":1,"a":{"b":1e400}}')).toEqual(['/a/b']);
  });

  it('lists at most ten issues of one member or element', () => {
    const bad = `[${Array(50).fill('1e400').join()}]`;
    expect(pathsIn(`[${bad},1,${bad}]`)).toHaveLength(20);
  });
});
