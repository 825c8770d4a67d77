import { type KeyGenOptions, keygenOptions } from './keygen.options.js';
import { PartitionLoad } from './partition-load.js';

function loadOf(change: Partial<KeyGenOptions> = {}, draws: readonly number[] = []): PartitionLoad {
  const rest = [...draws];
  const options = { ...keygenOptions.schema.parse({}), ...change };
  return new PartitionLoad(options, () => rest.shift() ?? 0);
}

function fill(load: PartitionLoad, counts: readonly number[]): void {
  counts.forEach((count, partition) => {
    for (let i = 0; i < count; i += 1) load.resume(undefined, partition);
  });
}

describe('PartitionLoad', () => {
  it('takes the less loaded of two partitions for a record without a key', () => {
    const load = loadOf({ numberOfPartitions: 4 }, [0.25, 0.7]);
    fill(load, [5, 1200, 7, 3]);
    expect(load.place(undefined)).toBe(3);
    expect(load.counts()).toEqual([5, 1200, 7, 4]);
  });

  it('places records without a key in turn when load awareness is off (KEYGEN_ENABLE_LOAD_AWARENESS)', () => {
    const load = loadOf({ numberOfPartitions: 3, enableLoadAwareness: false });
    fill(load, [9, 0, 0]);
    expect([1, 2, 3, 4].map(() => load.place(undefined))).toEqual([0, 1, 2, 0]);
  });

  it('gives a fixed key its home, however full that is, and pins nothing (KEYGEN_REBALANCE_KEYS)', () => {
    const load = loadOf({ numberOfPartitions: 10, rebalanceKeys: true });
    const fixed = loadOf().placeFixed('abc');
    fill(
      load,
      Array.from({ length: 10 }, (_, i) => (i === fixed ? 5000 : 0)),
    );
    expect(load.place('abc')).not.toBe(fixed);
    load.leave('abc', 0);
    expect(load.placeFixed('abc')).toBe(fixed);
    expect(load.pinnedKeys).toBe(0);
    load.leave(undefined, fixed);
    expect(load.counts()[fixed]).toBe(5000);
  });

  it('places a fixed record without a key like any other', () => {
    const load = loadOf({ numberOfPartitions: 4 }, [0.25, 0.7]);
    fill(load, [5, 1200, 7, 3]);
    expect(load.placeFixed(undefined)).toBe(3);
  });

  it('gives a blocked partition no keyless record while it holds more than every other', () => {
    const load = loadOf({ numberOfPartitions: 4 }, [0, 0.2, 0.9, 0.1, 0.5, 0, 0.3, 0.4]);
    fill(load, [50, 2, 2, 2]);
    const chosen = [1, 2, 3, 4].map(() => load.place(undefined));
    expect(chosen).not.toContain(0);
  });

  it('never moves a key while a record of it is in flight, however full its partition is (N2)', () => {
    const load = loadOf({ rebalanceKeys: true, loadImbalanceThreshold: 10 }, [0, 0.5]);
    const first = load.place('abc');
    fill(load, [0, 0, 0, 0, 0, 0, 0, 100]);
    expect(first).toBe(7);
    expect(load.place('abc')).toBe(7);
  });

  it('places a key with nothing in flight elsewhere when its partition is too full (KEYGEN_REBALANCE_KEYS)', () => {
    const full = Array.from({ length: 10 }, (_, i) => (i === 7 ? 100 : 0));
    const off = loadOf({ loadImbalanceThreshold: 10 });
    const on = loadOf({ loadImbalanceThreshold: 10, rebalanceKeys: true });
    for (const load of [off, on]) fill(load, full);
    expect(off.place('abc')).toBe(7);
    expect(on.place('abc')).toBe(0);
    expect(on.place('abc')).toBe(0);
  });

  it('forgets a pinned key with its last record', () => {
    const load = loadOf({ rebalanceKeys: true });
    const partition = load.place('abc');
    load.place('abc');
    load.leave('abc', partition);
    expect(load.pinnedKeys).toBe(1);
    load.leave('abc', partition);
    expect(load.pinnedKeys).toBe(0);
    expect(load.counts().every((count) => count === 0)).toBe(true);
  });

  it('tells of an imbalance once, and again after it was over', () => {
    const load = loadOf({ numberOfPartitions: 2, loadImbalanceThreshold: 10 });
    fill(load, [10, 0]);
    expect(load.newImbalance()).toBeUndefined();
    fill(load, [1, 0]);
    expect(load.newImbalance()).toEqual({
      most: { partition: 0, inFlight: 11 },
      least: { partition: 1, inFlight: 0 },
    });
    expect(load.newImbalance()).toBeUndefined();
    load.leave(undefined, 0);
    expect(load.newImbalance()).toBeUndefined();
    load.leave(undefined, 0);
    expect(load.newImbalance()).toBeUndefined();
    fill(load, [2, 0]);
    expect(load.newImbalance()).toBeDefined();
  });
});
