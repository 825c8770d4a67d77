import { Partitioners } from 'kafkajs';
import { Partitioner } from './partitioner.js';

/** Gives the draws in order, then zeros. */
const draws = (...values: number[]) => {
  return (): number => values.shift() ?? 0;
};

describe('Partitioner', () => {
  it('places keys as the Java client and kafkajs do', () => {
    const partitioner = new Partitioner(() => 0, draws());
    partitioner.resize(7);
    const kafkajs = Partitioners.DefaultPartitioner();
    const partitionMetadata = Array.from({ length: 7 }, (_, partitionId) => ({
      partitionId,
      leader: 1,
      partitionErrorCode: 0,
      replicas: [1],
      isr: [1],
    }));
    for (let index = 0; index < 500; index += 1) {
      const key = Buffer.from(`schlüssel-${index}`);
      const theirs = kafkajs({ topic: 't', partitionMetadata, message: { key, value: null } });
      expect(partitioner.place(key)).toBe(theirs);
    }
  });

  it('hashes an empty key as a key', () => {
    const partitioner = new Partitioner(() => 0, draws(0.99, 0.99));
    partitioner.resize(10);
    expect(partitioner.place(Buffer.alloc(0))).toBe(1);
  });

  it('keeps a keyless partition until its batch is complete (A2)', () => {
    const loads = [5, 0, 9];
    const partitioner = new Partitioner((each) => loads[each] ?? 0, draws(0, 0.9, 0, 0));
    partitioner.resize(3);
    expect([null, null, null].map((key) => partitioner.place(key))).toEqual([0, 0, 0]);
    partitioner.batchComplete(1);
    expect(partitioner.place(null)).toBe(0);
    partitioner.batchComplete(0);
    expect(partitioner.place(null)).toBe(1);
  });

  it('chooses anew when the topic has got another number of partitions (A1)', () => {
    const partitioner = new Partitioner(() => 0, draws(0.9, 0, 0, 0));
    partitioner.resize(2);
    expect(partitioner.place(null)).toBe(1);
    expect(partitioner.resize(2)).toBe(false);
    expect(partitioner.resize(1)).toBe(true);
    expect(partitioner.partitions).toBe(1);
    expect(partitioner.place(null)).toBe(0);
  });

  it('has no place while no partition is known', () => {
    const partitioner = new Partitioner(() => 0, draws());
    expect(() => partitioner.place(null)).toThrow(RangeError);
    expect(() => partitioner.place(Buffer.from('key'))).toThrow(RangeError);
  });
});
