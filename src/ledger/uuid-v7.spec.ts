import { UuidV7, isUuid } from './uuid-v7.js';

const generatorAt = (times: number[], random?: (target: Uint8Array) => void): UuidV7 =>
  new UuidV7({ wallNow: () => (times.length > 1 ? times.shift()! : times[0]!) }, random);

const millisecondsOf = (id: string): number =>
  Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

describe('UuidV7', () => {
  it('writes the time, version 7 and the variant into their places', () => {
    const id = generatorAt([Date.UTC(2026, 0, 1)]).next();
    expect(id.slice(0, 15)).toBe('019b76da-a800-7');
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(isUuid(id)).toBe(true);
  });

  it('ascends within one millisecond, also beyond 4,096 ids (U1)', () => {
    const generator = generatorAt([1_000]);
    const ids = Array.from({ length: 10_000 }, () => generator.next());
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(millisecondsOf(ids.at(-1)!)).toBeLessThanOrEqual(1_004);
  });

  it('ascends when the wall clock steps back (U1)', () => {
    const generator = generatorAt([5_000, 4_000, 5_001]);
    const ids = [generator.next(), generator.next(), generator.next()];
    expect(ids.toSorted()).toEqual(ids);
    expect(ids.map(millisecondsOf)).toEqual([5_000, 5_000, 5_001]);
  });

  it('uses every random bit behind the variant, and draws a new block when one is used up', () => {
    let draws = 0;
    const generator = generatorAt([0, 1], (target) => {
      draws += 1;
      target.fill(0xff);
    });
    expect(generator.next().slice(19)).toBe('bfff-ffffffffffff');
    for (let count = 0; count < 500; count += 1) generator.next();
    expect(draws).toBe(2);
  });
});

describe('isUuid', () => {
  it.each([
    '',
    'orders:0:17',
    '019b76da-a800-7000-8000-00000000000',
    '019b76daa80070008000000000000000',
  ])('refuses %j', (text) => {
    expect(isUuid(text)).toBe(false);
  });
});
