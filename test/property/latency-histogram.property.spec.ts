import fc from 'fast-check';
import { LatencyHistogram } from '../../libs/flow-control/src/window/latency-histogram.js';
import { WindowedQuantile } from '../../libs/flow-control/src/window/windowed-quantile.js';
import { FakeClock } from '../support/fake-clock.js';

const { boundsMs } = new LatencyHistogram();
const latency = fc.oneof(
  fc.double({ min: 0, max: 200_000, noNaN: true }),
  fc.double({ min: 0, max: 20, noNaN: true }),
  fc.nat({ max: 3000 }),
  fc.constantFrom(...boundsMs),
  // The neighbours of powers of two in tenths, where the bucket search changes its start.
  fc
    .tuple(fc.integer({ min: -1, max: 20 }), fc.constantFrom(-Number.EPSILON, 0, Number.EPSILON))
    .map(([exponent, shift]) => (2 ** exponent / 10) * (1 + shift)),
);
const latencies = fc.array(latency, { minLength: 1, maxLength: 300 });
const quantileShare = fc.double({ min: 0, max: 1, noNaN: true });

/** Bucket by looking at every bound. */
const bucketOf = (valueMs: number): number => {
  const bucket = boundsMs.findIndex((bound) => valueMs <= bound);
  return bucket === -1 ? boundsMs.length : bucket;
};

/** The true quantile: the value of rank ⌈q × n⌉ among the sorted ones. */
const valueOfRank = (values: readonly number[], q: number): number => {
  const rank = Math.max(1, Math.ceil(q * values.length - 1e-9));
  return values.toSorted((a, b) => a - b)[rank - 1] ?? 0;
};

/** Bounds of the bucket in which the true quantile lies. */
const boundsAround = (valueMs: number): readonly [lowerMs: number, upperMs: number] => {
  const bucket = bucketOf(valueMs);
  const last = boundsMs.at(-1) ?? 0;
  return [bucket === 0 ? 0 : (boundsMs[bucket - 1] ?? last), boundsMs[bucket] ?? last];
};

describe('LatencyHistogram', () => {
  it('reads every quantile within the bucket of the true one', () => {
    fc.assert(
      fc.property(latencies, quantileShare, (values, q) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);
        const [lower, upper] = boundsAround(valueOfRank(values, q));

        expect(histogram.quantile(q)).toBeGreaterThanOrEqual(lower);
        expect(histogram.quantile(q)).toBeLessThanOrEqual(upper);
      }),
      { numRuns: 500 },
    );
  });

  it('never reads a higher quantile as lower', () => {
    fc.assert(
      fc.property(latencies, quantileShare, quantileShare, (values, a, b) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);

        expect(histogram.quantile(Math.min(a, b))).toBeLessThanOrEqual(
          histogram.quantile(Math.max(a, b)),
        );
      }),
    );
  });

  it('counts at each bound exactly the values at or below it', () => {
    fc.assert(
      fc.property(latencies, fc.integer({ min: 1, max: 5 }), (values, count) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value, count);
        const expected = boundsMs.map(
          (bound) => values.filter((value) => value <= bound).length * count,
        );

        expect(histogram.counts()).toEqual([...expected, values.length * count]);
        expect(histogram.count).toBe(values.length * count);
        const sum = values.reduce((total, value) => total + value * count, 0);
        expect(Math.abs(histogram.sumMs - sum)).toBeLessThanOrEqual(1e-9 * (1 + sum));
      }),
    );
  });
});

describe('WindowedQuantile', () => {
  it('reads the values since the last 5 s mark but one', () => {
    const sample = fc.record({
      waitMs: fc.oneof(fc.constant(0), fc.nat({ max: 2000 }), fc.nat({ max: 20_000 })),
      valueMs: latency,
    });
    fc.assert(
      fc.property(
        fc.nat({ max: 1e6 }),
        fc.array(sample, { maxLength: 80 }),
        quantileShare,
        (start, samples, q) => {
          const clock = new FakeClock();
          clock.advance(start);
          const window = new WindowedQuantile({ clock });
          const log: { half: number; valueMs: number }[] = [];
          for (const { waitMs, valueMs } of samples) {
            clock.advance(waitMs);
            const half = Math.floor(clock.now() / 5000);
            window.record(valueMs);
            log.push({ half, valueMs });
            const model = new LatencyHistogram();
            for (const logged of log) if (logged.half >= half - 1) model.record(logged.valueMs);
            expect(window.quantile(q)).toBe(model.quantile(q));
          }
        },
      ),
    );
  });
});
