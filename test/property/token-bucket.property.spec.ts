import fc from 'fast-check';
import { TokenBucket } from '../../libs/flow-control/src/token-bucket.js';
import { FakeClock } from '../support/fake-clock.js';

/** The usual bucket: tokens that drip in up to `burst`, go below zero for arrays, in milliseconds of rate. */
class DrippingBucket {
  private tokens: number;
  private updatedMs = 0;

  constructor(
    private readonly ratePerMs: number,
    private readonly burst: number,
  ) {
    this.tokens = burst;
  }

  tryTake(nowMs: number, count: number): boolean {
    this.drip(nowMs);
    if (this.tokens < 1 || count > this.ratePerMs * 1000) return false;
    this.tokens -= count;
    return true;
  }

  charge(nowMs: number, count: number): void {
    this.drip(nowMs);
    this.tokens -= count;
  }

  giveBack(nowMs: number, count: number): void {
    this.drip(nowMs);
    this.tokens = Math.min(this.burst, this.tokens + count);
  }

  private drip(nowMs: number): void {
    this.tokens = Math.min(this.burst, this.tokens + (nowMs - this.updatedMs) * this.ratePerMs);
    this.updatedMs = nowMs;
  }
}

const EPSILON = 1e-6;
/** Powers of two: both models are exact in binary, so that they must agree on every answer. */
const exactRate = fc.constantFrom(1, 2, 4, 8).map((perMs) => perMs * 1000);
const count = fc.integer({ min: 1, max: 300 });
const step = fc.oneof(
  fc.record({ kind: fc.constant('take' as const), count: fc.constant(1) }),
  fc.record({
    kind: fc.constantFrom('take' as const, 'charge' as const, 'giveBack' as const),
    count,
  }),
  fc.record({ kind: fc.constant('wait' as const), count: fc.nat({ max: 200 }) }),
);
const offer = fc.record({
  waitMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 50, noNaN: true })),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
});
const offers = fc.array(offer, { minLength: 1, maxLength: 200 });

/** Checks B1 for every span that starts and ends with an admitted request. */
function expectBounded(
  admitted: readonly { atMs: number; count: number }[],
  bound: (spanMs: number) => number,
): void {
  admitted.forEach(({ atMs: fromMs }, first) => {
    let sum = 0;
    for (const { atMs, count: taken } of admitted.slice(first)) {
      sum += taken;
      if (sum > bound(atMs - fromMs) + EPSILON) {
        throw new Error(`${sum} admitted in ${atMs - fromMs} ms, allowed ${bound(atMs - fromMs)}.`);
      }
    }
  });
}

describe('TokenBucket', () => {
  it('answers as a bucket with dripping tokens does', () => {
    fc.assert(
      fc.property(
        exactRate,
        fc.integer({ min: 1, max: 100 }),
        fc.array(step, { maxLength: 200 }),
        (ratePerSecond, burst, steps) => {
          const clock = new FakeClock();
          const bucket = new TokenBucket({ ratePerSecond, burst, clock });
          const model = new DrippingBucket(ratePerSecond / 1000, burst);
          const answers: { real: boolean; expected: boolean }[] = [];
          for (const { kind, count: n } of steps) {
            if (kind === 'wait') clock.advance(n);
            else if (kind === 'take') {
              const expected = model.tryTake(clock.now(), n);
              answers.push({ real: bucket.tryTake(n).admitted, expected });
            } else {
              bucket[kind](n);
              model[kind](clock.now(), n);
            }
          }

          expect(answers.filter(({ real, expected }) => real !== expected)).toEqual([]);
        },
      ),
    );
  });

  it.each([
    { what: 'burst + rate × t of single records', isArrays: false, extraMs: 0 },
    { what: 'burst + rate × (t + 1 s) with arrays', isArrays: true, extraMs: 1000 },
  ])('never admits more than $what in any span t (B1)', ({ isArrays, extraMs }) => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 5000, noNaN: true }),
        fc.double({ min: 1, max: 100, noNaN: true }),
        offers,
        (ratePerSecond, burst, steps) => {
          const clock = new FakeClock();
          const bucket = new TokenBucket({ ratePerSecond, burst, clock });
          const admitted: { atMs: number; count: number }[] = [];
          for (const { waitMs, share } of steps) {
            clock.advance(waitMs);
            const n = isArrays ? Math.ceil(share * (bucket.perSecondMax + 2)) : 1;
            if (bucket.tryTake(n).admitted) admitted.push({ atMs: clock.now(), count: n });
          }
          expectBounded(admitted, (spanMs) => burst + (ratePerSecond * (spanMs + extraMs)) / 1000);
        },
      ),
    );
  });

  it('refuses nothing that its own answer said would conform by now', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 50_000, noNaN: true }),
        offers,
        (ratePerSecond, steps) => {
          const clock = new FakeClock();
          const bucket = new TokenBucket({ ratePerSecond, clock });
          for (const { waitMs, share } of steps) {
            clock.advance(waitMs);
            const n = Math.max(1, Math.floor(share * bucket.perSecondMax));
            const taken = bucket.tryTake(n);
            if (taken.admitted) continue;
            clock.advance(taken.retryAfterMs);
            expect(bucket.tryTake(n).admitted).toBe(true);
          }
        },
      ),
    );
  });
});
