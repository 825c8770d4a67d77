import { byteaArray, int2Array, int8Array, textArray, uuidArray } from './binary-array.js';

const ID = '019b76da-a800-7000-8000-0123456789ab';

describe('binary arrays', () => {
  it('writes the header, then each element behind its length', () => {
    expect(int2Array([1, -2]).toString('hex')).toBe(
      '00000001' +
        '00000000' +
        '00000015' +
        '00000002' +
        '00000001' +
        '00000002' +
        '0001' +
        '00000002' +
        'fffe',
    );
  });

  it('marks nulls in the header and by a length of -1', () => {
    const array = textArray(['é', null, Buffer.from('b')]);
    expect(array.readInt32BE(4)).toBe(1);
    expect(array.subarray(20).toString('hex')).toBe(
      '00000002' + 'c3a9' + 'ffffffff' + '00000001' + '62',
    );
    expect(byteaArray([Buffer.from([0])]).readInt32BE(4)).toBe(0);
  });

  it('takes UUIDs in upper and lower case', () => {
    expect(uuidArray([ID.toUpperCase()])).toEqual(uuidArray([ID]));
    expect(uuidArray([ID]).subarray(24).toString('hex')).toBe(ID.replaceAll('-', ''));
  });

  it.each([
    '',
    'orders:0:17',
    ID.slice(1),
    `${ID}0`,
    `${ID}00`,
    ID.replace('a', 'g'),
    ID.replace('a', 'ſ'),
  ])('refuses %j as a UUID', (id) => {
    expect(() => uuidArray([id])).toThrow(RangeError);
  });

  it('keeps every 64-bit number', () => {
    const array = int8Array([-1n, 9_223_372_036_854_775_807n]);
    expect(array.subarray(24, 32).readBigInt64BE()).toBe(-1n);
    expect(array.subarray(36).readBigInt64BE()).toBe(9_223_372_036_854_775_807n);
  });
});
