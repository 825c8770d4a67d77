import type { SendOutcome } from './kafka-sink.js';
import { PartitionTransactions } from './partition-transactions.js';
import type { TransactionRequest, TransactionsOptions } from './transaction-request.js';

/**
 * Exactly-once mode: the records of one input partition and its committed offset, in one transaction.
 *
 * X1 one producer per input partition, whose id names group, topic and partition: a new owner of the partition aborts
 *    what the last one left open.
 * X2 the transactions of an input partition are serial, in the order of the calls. Those that were given behind one that
 *    failed fail with it; they can all be given again, in order.
 * X3 a transaction happens as a whole or not at all, and the outcomes say which: after a commit without an answer the
 *    group's offset decides.
 */
export class Transactions {
  private readonly partitions = new Map<string, PartitionTransactions>();
  private isStopped = false;

  constructor(private readonly options: TransactionsOptions) {}

  /**
   * Resolves with one outcome per record, in their order; never rejects. All are acknowledged but for the refused ones,
   * which are failed as final, or all have failed with the same failure and can be given again.
   */
  transact(request: TransactionRequest): Promise<readonly SendOutcome[]> {
    const { groupId, topic, partition } = request.offsets;
    const id = `penstock-${groupId}-${topic}-${partition}`;
    let owned = this.partitions.get(id);
    if (owned === undefined) {
      owned = new PartitionTransactions(id, this.options);
      this.partitions.set(id, owned);
      if (this.isStopped) void owned.close();
    }
    return owned.transact(request);
  }

  /** Ends the producer of an input partition that now belongs to somebody else. */
  async release(groupId: string, topic: string, partition: number): Promise<void> {
    const id = `penstock-${groupId}-${topic}-${partition}`;
    const owned = this.partitions.get(id);
    this.partitions.delete(id);
    await owned?.close();
  }

  /** Ends all producers; transactions that are running fail or commit. Idempotent. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(Array.from(this.partitions.values(), (owned) => owned.close()));
  }
}
