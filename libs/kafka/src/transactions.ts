import type { PartitionOffset } from './book-keeper.js';
import { PartitionTransactions } from './partition-transactions.js';
import type {
  TransactionRequest,
  TransactionResult,
  TransactionsOptions,
} from './transaction-request.js';
import type { TransactionalOffsets } from './transactional-offsets.js';

/**
 * Exactly-once mode: the records of one input partition and the group's offset in it, in one transaction.
 *
 * X1 one producer per input partition, whose id names group, topic and partition: a new owner of the partition ends what
 *    the last one left open.
 * X2 the transactions of an input partition are serial, in the order of the calls. Those that were given behind one that
 *    failed fail with it; they can all be given again, in order.
 * X3 a transaction happens as a whole or not at all.
 * X4 no record below the group's offset is sent. The offset is looked at when a producer is made, after the id was taken:
 *    from then on nobody else can move it without ending that producer. So an owner that was frozen and wakes, and takes
 *    the id back, finds what was delivered meanwhile.
 */
export class Transactions implements TransactionalOffsets {
  private readonly partitions = new Map<string, PartitionTransactions>();
  private isStopped = false;

  constructor(private readonly options: TransactionsOptions) {}

  take(topic: string, partition: number): Promise<bigint | undefined> {
    return this.owned(topic, partition).take();
  }

  release(topic: string, partition: number): void {
    const name = `${topic}-${partition}`;
    const owned = this.partitions.get(name);
    this.partitions.delete(name);
    void owned?.close();
  }

  async commitOffsets(offsets: readonly PartitionOffset[]): Promise<void> {
    // What has ended is in the books; the offset only shows it.
    if (this.isStopped) return;
    const results = await Promise.all(
      offsets.map(({ topic, partition, offset }) =>
        this.transact({ topic, partition, records: [], nextOffset: BigInt(offset) }),
      ),
    );
    for (const result of results) {
      if (result.kind === 'failed') throw new Error(result.failure.message);
    }
  }

  /** Never rejects. */
  transact(request: TransactionRequest): Promise<TransactionResult> {
    return this.owned(request.topic, request.partition).transact(request);
  }

  /** Ends all producers; transactions that are running fail or commit. Idempotent. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(Array.from(this.partitions.values(), (owned) => owned.close()));
  }

  private owned(topic: string, partition: number): PartitionTransactions {
    const name = `${topic}-${partition}`;
    let owned = this.partitions.get(name);
    if (owned === undefined) {
      owned = new PartitionTransactions({ topic, partition }, this.options);
      this.partitions.set(name, owned);
      if (this.isStopped) void owned.close();
    }
    return owned;
  }
}
