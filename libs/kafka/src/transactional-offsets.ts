import type { PartitionOffset } from './book-keeper.js';

/** Who moves the group's offsets when they move with what the records became, and not by the source. */
export interface TransactionalOffsets {
  /**
   * Takes a partition: whoever had it can commit nothing any more, and what it left open is ended. Resolves with the
   * group's offset from then on; undefined = the group has none.
   */
  take(topic: string, partition: number): Promise<bigint | undefined>;
  /** The partition is somebody else's. */
  release(topic: string, partition: number): void;
  /** Moves offsets over records that have ended elsewhere; those that are there already stay. Rejects when one failed. */
  commitOffsets(offsets: readonly PartitionOffset[]): Promise<void>;
}
