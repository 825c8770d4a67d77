import { isSafeNumber } from '../../src/gateway/json/json-number.js';

describe('A number that is too small for its digits', () => {
  it('is refused, since it would be written again with other ones', () => {
    expect(isSafeNumber('4.9e-324')).toBe(false);
    expect(isSafeNumber('5e-324')).toBe(true);
    expect(isSafeNumber('0.0')).toBe(true);
  });
});
