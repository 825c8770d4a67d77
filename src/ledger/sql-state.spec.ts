import { asError, failureOf, sqlStateOf } from './sql-state.js';

const error = (code: unknown, table?: string): Error =>
  Object.assign(new Error('x'), { code, table });

describe('failureOf', () => {
  it.each([undefined, 'ECONNRESET', 'EPIPE', '08006', '57P01', '57P02', '57P03'])(
    'takes %j for a lost connection: the statement may have been committed',
    (code) => {
      expect(failureOf(error(code))).toBe('away');
    },
  );

  it.each(['40001', '40P01', '53100', '53300', '55P03'])('runs %s again', (code) => {
    expect(failureOf(error(code))).toBe('again');
  });

  it.each(['22P02', '22003', '23505', '23514'])('takes %s for a value of the record', (code) => {
    expect(failureOf(error(code, 'delivered'))).toBe('refused');
  });

  it('takes a value that can not be encoded for one that is refused', () => {
    expect(failureOf(new RangeError('a record id must be a UUID'))).toBe('refused');
    expect(failureOf(new TypeError('not a string'))).toBe('refused');
  });

  it('takes a missing partition of the acknowledgments for a defect of the schema', () => {
    expect(failureOf(error('23514', 'acknowledgment'))).toBe('broken');
  });

  it.each(['42P01', '42501', '57014'])('takes %s for something that must be mended', (code) => {
    expect(failureOf(error(code))).toBe('broken');
  });

  it('takes what is no error at all for a lost connection', () => {
    expect(failureOf(undefined)).toBe('away');
    expect(sqlStateOf('text')).toBeUndefined();
    expect(asError('text').message).toBe('text');
  });
});
