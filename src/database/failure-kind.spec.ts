import { describeError, isPassing } from './failure-kind.js';

const failure = (code?: string, message = 'x'): Error =>
  Object.assign(new Error(message), { code });

describe('isPassing', () => {
  it.each([
    '08006',
    '40P01',
    '53300',
    '57P03',
    '58030',
    '55P03',
    'ECONNREFUSED',
    'EPIPE',
    undefined,
  ])('is true for %s', (code) => {
    expect(isPassing(failure(code))).toBe(true);
  });

  it.each(['42P07', '42501', '23505', '28P01'])('is false for %s', (code) => {
    expect(isPassing(failure(code))).toBe(false);
  });

  it('is false for our own mistakes', () => {
    expect(isPassing(new TypeError('x is not a function'))).toBe(false);
  });
});

describe('describeError', () => {
  it('takes the code where there is no message', () => {
    expect(describeError(failure('ECONNREFUSED', ''))).toBe('ECONNREFUSED');
    expect(describeError(failure(undefined, ''))).toBe('unknown error');
  });

  it('takes the message of an error, and anything else as text', () => {
    expect(describeError(failure('08006', 'gone'))).toBe('gone');
    expect(describeError('gone')).toBe('gone');
  });
});
