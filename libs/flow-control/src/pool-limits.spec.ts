import { PoolLimits } from './pool-limits.js';

const MIB = 1_048_576;

describe('PoolLimits', () => {
  it('starts with all of the capacity, in records and in bytes', () => {
    const limits = new PoolLimits('x', 100, 5 * MIB);
    expect(limits).toMatchObject({ sized: 100, limit: 100, byteLimit: 5 * MIB });
  });

  it('never falls below one credit (I6, L3)', () => {
    const limits = new PoolLimits('x', 1, Infinity);
    limits.resize({ factor: 0.5 });
    expect(limits.limit).toBe(1);
    limits.resize({ factor: 0, window: 0 });
    expect(limits).toMatchObject({ sized: 1, limit: 1 });
  });

  it('lets a reaction shorten the queue, not the work in service', () => {
    const limits = new PoolLimits('x', 3000, Infinity);
    limits.resize({ window: 60, inServiceLimit: 50, factor: 0.5 });
    expect(limits).toMatchObject({ sized: 60, limit: 50 });
    limits.resize({ factor: 1 });
    expect(limits.limit).toBe(60);
    limits.resize({ window: 40 });
    expect(limits.limit).toBe(40);
  });

  it('measures sized by window and capacity alone, whatever a reaction does', () => {
    const limits = new PoolLimits('x', 1000, Infinity);
    limits.resize({ window: 5000 });
    expect(limits.sized).toBe(1000);
    limits.resize({ window: 400, factor: 0.5 });
    expect(limits).toMatchObject({ sized: 400, limit: 200 });
  });

  it('keeps window and factor when the capacity changes', () => {
    const limits = new PoolLimits('x', 1000, Infinity);
    limits.resize({ window: 400, factor: 0.5 });
    limits.resize({ capacity: 100 });
    expect(limits).toMatchObject({ capacity: 100, sized: 100, limit: 50 });
    limits.resize({ capacity: 2000 });
    expect(limits).toMatchObject({ capacity: 2000, sized: 400, limit: 200 });
    expect(() => limits.resize({ capacity: 0 })).toThrow(RangeError);
  });

  it('rounds up, but not what only looks like a fraction', () => {
    const limits = new PoolLimits('x', 100, Infinity);
    limits.resize({ factor: 0.55 });
    expect(limits.limit).toBe(55);
    limits.resize({ factor: 0.551 });
    expect(limits.limit).toBe(56);
  });

  it('bounds bytes by window × mean record, at least 1 MiB, at most the capacity in bytes', () => {
    const limits = new PoolLimits('x', 10_000, 64 * MIB);
    limits.resize({ window: 310, meanRecordBytes: 300 });
    expect(limits.byteLimit).toBe(MIB);
    limits.resize({ window: 10_000 });
    expect(limits.byteLimit).toBe(3_000_000);
    limits.resize({ meanRecordBytes: 100_000 });
    expect(limits.byteLimit).toBe(64 * MIB);
  });

  it('refuses a number that is none, naming pool, option and value', () => {
    const limits = new PoolLimits('Gateway', 10, Infinity);
    expect(() => limits.resize({ window: NaN })).toThrow(
      new RangeError('Gateway: window must be at least 0, not NaN'),
    );
    expect(() => limits.resize({ factor: undefined })).not.toThrow();
  });
});
