import { bytesOf, fittingRecords } from './byte-prefix.js';

describe('fittingRecords', () => {
  it('is the longest prefix whose bytes fit', () => {
    expect(fittingRecords(4, [300, 300, 300, 300], 900)).toBe(3);
    expect(fittingRecords(4, [300, 700, 1, 1], 900)).toBe(1);
    expect(fittingRecords(4, 300, 900)).toBe(3);
    expect(fittingRecords(2, 300, 900)).toBe(2);
    expect(fittingRecords(2, [300, 300], 900)).toBe(2);
  });

  it('takes records without a size when nothing is free, and none when the limit is exceeded', () => {
    expect(fittingRecords(5, 0, 0)).toBe(5);
    expect(fittingRecords(5, 0, -1)).toBe(0);
    expect(fittingRecords(3, [10], 10)).toBe(3);
  });
});

describe('bytesOf', () => {
  it('sums the first records; one number is the size of each', () => {
    expect(bytesOf(2, [300, 700, 5])).toBe(1000);
    expect(bytesOf(3, 300)).toBe(900);
    expect(bytesOf(2, [300])).toBe(300);
  });
});
