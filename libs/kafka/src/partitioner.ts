import { murmur2, type RandomSource, twoChoices } from '#libs/flow-control';

/** murmur2 is signed; Kafka masks the sign bit, since `abs` overflows on the smallest integer. */
const NON_NEGATIVE_MASK = 0x7fffffff;

/**
 * Places records on the partitions of the output topic, as Kafka's own producer does: a key by its hash, records
 * without a key together on one partition until its batch is full or on its way, so that batches fill.
 *
 * A1 the number of partitions is the topic's, as its metadata says; never a setting.
 * A2 the next partition of keyless records is the less loaded of two, so a partition that stands still gets no more.
 */
export class Partitioner {
  private numbers: readonly number[] = [];
  private sticky: number | undefined;

  constructor(
    /** Bytes that wait for a partition or are on their way to it. */
    private readonly loadOf: (partition: number) => number,
    private readonly random: RandomSource,
  ) {}

  /** 0 until the metadata is there. */
  get partitions(): number {
    return this.numbers.length;
  }

  /** Takes the count over from the metadata. True when it is a new one. */
  resize(partitions: number): boolean {
    if (partitions === this.numbers.length) return false;
    this.numbers = Array.from({ length: partitions }, (_, partition) => partition);
    this.sticky = undefined;
    return true;
  }

  /** Partition of a record; throws a RangeError while none is known. */
  place(key: Buffer | null): number {
    if (key !== null && this.numbers.length > 0) {
      return (murmur2(key) & NON_NEGATIVE_MASK) % this.numbers.length;
    }
    this.sticky ??= twoChoices(this.numbers, this.loadOf, this.random);
    return this.sticky;
  }

  /** The batch that keyless records were filling is complete: the next one gets a new partition. */
  batchComplete(partition: number): void {
    if (this.sticky === partition) this.sticky = undefined;
  }
}
