import fc from 'fast-check';
import { SlidingCounter, SlidingRatio } from '../../libs/flow-control/src/window/sliding-window.js';
import { TimeWeightedMean } from '../../libs/flow-control/src/window/time-weighted-mean.js';
import { FakeClock } from '../support/fake-clock.js';

const event = fc.record({
  waitMs: fc.oneof(
    fc.constant(0),
    fc.double({ min: 0, max: 2500, noNaN: true }),
    fc.nat({ max: 30_000 }),
  ),
  count: fc.nat({ max: 50 }),
  isFailure: fc.boolean(),
});
const events = fc.array(event, { maxLength: 100 });
const startMs = fc.double({ min: 0, max: 1e9, noNaN: true });

interface Logged {
  readonly atMs: number;
  readonly count: number;
  readonly isFailure: boolean;
}

/** Every event ever, summed anew at each reading. */
function sumOfLastTenSeconds(log: readonly Logged[], nowMs: number): number {
  const second = Math.floor(nowMs / 1000);
  return log
    .filter(({ atMs }) => Math.floor(atMs / 1000) > second - 10)
    .reduce((sum, { count }) => sum + count, 0);
}

describe('SlidingCounter and SlidingRatio', () => {
  it('read what a full log of the last ten seconds of the clock holds', () => {
    fc.assert(
      fc.property(startMs, events, (start, steps) => {
        const clock = new FakeClock();
        clock.advance(start);
        const counter = new SlidingCounter({ clock });
        const ratio = new SlidingRatio({ clock });
        const log: Logged[] = [];
        for (const { waitMs, count, isFailure } of steps) {
          clock.advance(waitMs);
          counter.add(count);
          if (isFailure) ratio.failure(count);
          else ratio.success(count);
          log.push({ atMs: clock.now(), count, isFailure });

          const total = sumOfLastTenSeconds(log, clock.now());
          const failures = sumOfLastTenSeconds(
            log.filter((logged) => logged.isFailure),
            clock.now(),
          );
          expect(counter.sum()).toBe(total);
          expect(ratio.total()).toBe(total);
          expect(ratio.failures()).toBe(failures);
          expect(ratio.ratio()).toBe(total < 10 ? 0 : failures / total);
        }
      }),
    );
  });

  it('are empty ten seconds after the last event', () => {
    fc.assert(
      fc.property(startMs, events, (start, steps) => {
        const clock = new FakeClock();
        clock.advance(start);
        const counter = new SlidingCounter({ clock });
        for (const { waitMs, count } of steps) {
          clock.advance(waitMs);
          counter.add(count);
        }
        clock.advance(10_000);

        expect(counter.sum()).toBe(0);
        expect(counter.perSecond()).toBe(0);
      }),
    );
  });
});

describe('TimeWeightedMean', () => {
  it('is the mean of the level at every millisecond since the restart', () => {
    const change = fc.record({ level: fc.nat({ max: 1000 }), forMs: fc.nat({ max: 50 }) });
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 30 }),
        fc.array(change, { minLength: 1, maxLength: 30 }),
        (before, after) => {
          const clock = new FakeClock();
          const mean = new TimeWeightedMean({ clock });
          for (const { level, forMs } of before) {
            mean.set(level);
            clock.advance(forMs);
          }
          mean.restart();
          const levels: number[] = [];
          for (const { level, forMs } of after) {
            mean.set(level);
            clock.advance(forMs);
            for (let ms = 0; ms < forMs; ms++) levels.push(level);
          }
          const sum = levels.reduce((total, level) => total + level, 0);
          const expected = levels.length === 0 ? (after.at(-1)?.level ?? 0) : sum / levels.length;

          expect(mean.mean()).toBeCloseTo(expected, 9);
        },
      ),
    );
  });
});
