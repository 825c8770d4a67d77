import { FakeClock } from '../../../test/support/fake-clock.js';
import { TokenBucket } from './token-bucket.js';

describe('TokenBucket', () => {
  let clock: FakeClock;
  const bucketOf = (ratePerSecond: number, burst?: number): TokenBucket =>
    new TokenBucket({ ratePerSecond, burst, clock });
  const admittedAtOnce = (bucket: TokenBucket): number => {
    let admitted = 0;
    while (bucket.tryTake().admitted) admitted += 1;
    return admitted;
  };

  beforeEach(() => {
    clock = new FakeClock();
  });

  it('admits 10 049 of 5 000 evenly spaced requests a second over 10 s at 1 000/s', () => {
    const bucket = bucketOf(1000);
    let admitted = 0;
    for (let i = 0; i < 50_000; i++) {
      if (bucket.tryTake().admitted) admitted += 1;
      clock.advance(0.2);
    }

    expect(admitted).toBe(10_049);
  });

  it.each([1, 10, 100])(
    'admits 10 000 ± 1 % in 10 s at 5 000/s, whatever the concurrency: %i at a time',
    (concurrency) => {
      const bucket = bucketOf(1000);
      let admitted = 0;
      for (let i = 0; i < 50_000; i++) {
        if (bucket.tryTake().admitted) admitted += 1;
        if ((i + 1) % concurrency === 0) clock.advance(0.2 * concurrency);
      }

      expect(Math.abs(admitted - 10_000)).toBeLessThanOrEqual(100);
    },
  );

  it('admits an array of 800 whole and the next record at 751 ms', () => {
    const bucket = bucketOf(1000);

    expect(bucket.tryTake(800)).toEqual({ admitted: true });
    expect(bucket.tryTake()).toEqual({ admitted: false, retryAfterMs: 751 });
    clock.advance(750);
    expect(bucket.tryTake()).toEqual({ admitted: false, retryAfterMs: 1 });
    clock.advance(1);
    expect(bucket.tryTake()).toEqual({ admitted: true });
  });

  it('admits 11 000 records of arrays of 1 000 offered without a pause for 10 s', () => {
    const bucket = bucketOf(1000);
    let admitted = 0;
    for (let ms = 0; ms < 10_000; ms++) {
      if (bucket.tryTake(1000).admitted) admitted += 1000;
      clock.advance(1);
    }

    expect(admitted).toBe(11_000);
  });

  it('never admits an array above 1 s worth, and charges nothing for it', () => {
    const bucket = bucketOf(1000);

    expect(bucket.perSecondMax).toBe(1000);
    expect(bucket.tryTake(1001)).toEqual({ admitted: false, retryAfterMs: Infinity });
    expect(bucket.tryTake(1000)).toEqual({ admitted: true });
  });

  it('has a burst of 50 ms worth, at least one record, unless told otherwise', () => {
    expect(admittedAtOnce(bucketOf(1000))).toBe(50);
    expect(admittedAtOnce(bucketOf(2))).toBe(1);
    expect(admittedAtOnce(bucketOf(1000, 7))).toBe(7);
  });

  it('admits again after exactly the time it named, at any rate', () => {
    for (const ratePerSecond of [0.3, 3, 7, 333, 1000, 9999]) {
      const bucket = bucketOf(ratePerSecond);
      admittedAtOnce(bucket);
      for (let i = 0; i < 100; i++) {
        const refused = bucket.tryTake();
        if (!refused.admitted) clock.advance(refused.retryAfterMs);

        expect(bucket.tryTake().admitted).toBe(true);
      }
    }
  });

  it('charges the rest of an array after its first record was admitted', () => {
    const bucket = bucketOf(1000);

    bucket.tryTake();
    bucket.charge(799);

    expect(bucket.tryTake()).toEqual({ admitted: false, retryAfterMs: 751 });
  });

  it('takes nothing for what is given back', () => {
    const bucket = bucketOf(1000);

    bucket.tryTake(800);
    bucket.giveBack(790);

    expect(admittedAtOnce(bucket)).toBe(40);
  });

  it('never holds more than a full burst, however much is given back', () => {
    const bucket = bucketOf(1000);

    bucket.giveBack(500);
    clock.advance(10_000);

    expect(admittedAtOnce(bucket)).toBe(50);
  });

  it('admits everything at rate 0', () => {
    const bucket = bucketOf(0);

    expect(bucket.perSecondMax).toBe(Infinity);
    bucket.charge(1e6);
    expect(bucket.tryTake(1e6)).toEqual({ admitted: true });
  });

  it('takes a new rate for later records and keeps the due time of what is charged', () => {
    const bucket = bucketOf(1000);
    bucket.tryTake(500);

    bucket.resize(100);

    expect(bucket.perSecondMax).toBe(100);
    // 500 ms are due, of which the new burst of 5 covers 40 ms.
    expect(bucket.tryTake()).toEqual({ admitted: false, retryAfterMs: 460 });
    bucket.resize(0);
    expect(bucket.tryTake().admitted).toBe(true);
  });

  it('always lets one record conform at a rate below one a second', () => {
    const bucket = bucketOf(0.5);

    expect(bucket.perSecondMax).toBe(1);
    expect(bucket.tryTake().admitted).toBe(true);
    expect(bucket.tryTake()).toEqual({ admitted: false, retryAfterMs: 2000 });
  });

  it.each([-1, Number.NaN, Infinity])('refuses the rate %d', (ratePerSecond) => {
    expect(() => bucketOf(ratePerSecond)).toThrow(RangeError);
  });

  it.each([0, 0.5, Number.NaN])('refuses the burst %d', (burst) => {
    expect(() => bucketOf(1, burst)).toThrow(RangeError);
  });
});
