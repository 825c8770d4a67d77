import { LatencyHistogram } from './latency-histogram.js';

describe('LatencyHistogram', () => {
  let histogram: LatencyHistogram;

  beforeEach(() => {
    histogram = new LatencyHistogram();
  });

  it('has ten bounds a decade from 0.1 ms to 100 s, each at most 28 % above the one before', () => {
    const { boundsMs } = histogram;

    expect(boundsMs).toHaveLength(61);
    expect(boundsMs[0]).toBe(0.1);
    expect(boundsMs.at(-1)).toBe(100_000);
    expect(boundsMs).toEqual(expect.arrayContaining([1, 2, 5, 10, 25, 50, 100, 250, 500, 1000]));
    boundsMs.slice(1).forEach((bound, i) => {
      expect(bound / (boundsMs[i] ?? 0)).toBeLessThanOrEqual(1.28 + 1e-9);
    });
  });

  it('puts a value on a bound into the bucket below it', () => {
    for (const [bucket, bound] of histogram.boundsMs.entries()) {
      const fresh = new LatencyHistogram();
      fresh.record(bound);
      fresh.record(bound * (1 + 1e-12));

      expect(fresh.counts()[bucket]).toBe(1);
      expect(fresh.counts()[bucket + 1]).toBe(2);
    }
  });

  it('counts cumulatively, all records last', () => {
    histogram.record(0.05);
    histogram.record(3, 4);
    histogram.record(1e9);
    const counts = histogram.counts();

    expect(counts).toHaveLength(62);
    expect(counts[0]).toBe(1);
    expect(counts[histogram.boundsMs.indexOf(2.5)]).toBe(1);
    expect(counts[histogram.boundsMs.indexOf(3.15)]).toBe(5);
    expect(counts.at(-2)).toBe(5);
    expect(counts.at(-1)).toBe(6);
    expect(histogram.count).toBe(6);
    expect(histogram.sumMs).toBeCloseTo(0.05 + 12 + 1e9);
  });

  it('counts a negative or missing latency as 0', () => {
    histogram.record(-5);
    histogram.record(Number.NaN);

    expect(histogram.counts()[0]).toBe(2);
    expect(histogram.sumMs).toBe(0);
  });

  it('reads a quantile on a straight line within its bucket', () => {
    histogram.record(90, 10);

    expect(histogram.quantile(0.5)).toBeCloseTo(80 + 20 * 0.5);
    expect(histogram.quantile(1)).toBeCloseTo(100);
  });

  it('reads the first bucket from 0 and the last one as its lower bound', () => {
    histogram.record(0.01);
    expect(histogram.quantile(0)).toBeCloseTo(0.1);
    histogram.record(1e6, 99);
    expect(histogram.quantile(0.5)).toBe(100_000);
  });

  it('does not take the next rank because a product is rounded up', () => {
    histogram.record(1, 7);
    histogram.record(1000, 93);

    expect(0.07 * 100).toBeGreaterThan(7);
    expect(histogram.quantile(0.07)).toBe(1);
  });

  it('reads 0 when empty, before and after a reset', () => {
    expect(histogram.quantile(0.9)).toBe(0);
    histogram.record(5);
    histogram.reset();

    expect(histogram.quantile(0.9)).toBe(0);
    expect(histogram.count).toBe(0);
    expect(histogram.sumMs).toBe(0);
    expect(histogram.counts().at(-1)).toBe(0);
  });

  it('never reads a quantile above the bound of its bucket', () => {
    const histogram = new LatencyHistogram();
    histogram.record(0, 3);

    expect(histogram.quantile(1)).toBe(0.1);
  });
});
