import { AssignedPartition } from './assigned-partition.js';
import { EndOffsetHistory, lagOf } from './consumer-lag.js';

describe('EndOffsetHistory', () => {
  it('interpolates as in the example of the notes', () => {
    const history = new EndOffsetHistory();
    history.add(0, 1000n);
    history.add(10_000, 2000n);
    expect(history.lag(1500n, 2000n, 20_000)).toEqual({ seconds: 15, isAtLeast: false });
  });

  it('knows no lag at the end, nor without a point', () => {
    const history = new EndOffsetHistory();
    expect(history.lag(5n, 10n, 1000)).toEqual({ seconds: 0, isAtLeast: false });
    history.add(0, 10n);
    expect(history.lag(10n, 10n, 1000)).toEqual({ seconds: 0, isAtLeast: false });
    expect(history.lag(11n, 10n, 1000)).toEqual({ seconds: 0, isAtLeast: false });
  });

  it('says "at least" when low is older than the first point', () => {
    const history = new EndOffsetHistory();
    history.add(1000, 100n);
    expect(history.lag(50n, 100n, 5000)).toEqual({ seconds: 4, isAtLeast: true });
  });

  it('takes the last point when the end moved past low since', () => {
    const history = new EndOffsetHistory();
    history.add(1000, 100n);
    expect(history.lag(100n, 150n, 5000)).toEqual({ seconds: 4, isAtLeast: false });
  });

  it('drops a point whose end is that of the last one, and keeps 60', () => {
    const history = new EndOffsetHistory();
    for (let i = 0; i < 100; i += 1) history.add(i * 1000, BigInt(i >> 1));
    // Points 0 to 49, each from its first time.
    expect(history.lag(1n, 50n, 100_000)).toMatchObject({ isAtLeast: false });
    for (let i = 100; i < 200; i += 1) history.add(i * 1000, BigInt(i));
    expect(history.lag(139n, 200n, 200_000)).toEqual({ seconds: 60, isAtLeast: true });
    expect(history.lag(141n, 200n, 200_000)).toEqual({ seconds: 59, isAtLeast: false });
  });
});

describe('lagOf', () => {
  const assigned = (): AssignedPartition => {
    const partition = new AssignedPartition('orders', 3, 3);
    const row = {
      partition: 3,
      epoch: 1n,
      low: 10n,
      doneAbove: Buffer.alloc(0),
      gaps: 0n,
      boundaryTimestampMs: undefined,
    };
    partition.take({ source: 0, incarnation: 1, isKnown: true }, row, 100);
    return partition;
  };

  it('is not known before the books are read', () => {
    expect(lagOf(new AssignedPartition('orders', 0, 0), undefined, 0)).toBeUndefined();
  });

  it('counts from low and from the committed offset, and times the record at low while it is in flight', () => {
    const partition = assigned();
    partition.end = 25n;
    partition.committed = 5n;
    partition.mark?.begin([0, 1], [7000, 8000], 0, 2);
    expect(lagOf(partition, undefined, 10_000)).toEqual({
      topic: 'orders',
      partition: 3,
      records: 15,
      committedRecords: 20,
      seconds: 3,
      isAtLeast: false,
    });
  });

  it('interpolates when nothing is in flight, and is zero without an end', () => {
    const partition = assigned();
    expect(lagOf(partition, undefined, 0)).toMatchObject({ records: 0, seconds: 0 });
    partition.end = 20n;
    const history = new EndOffsetHistory();
    history.add(0, 0n);
    history.add(10_000, 20n);
    expect(lagOf(partition, history, 10_000)).toMatchObject({ records: 10, seconds: 5 });
  });
});
