import { type ICustomPartitioner, Partitioners, type Producer, type Transaction } from 'kafkajs';
import { sleep } from '#libs/flow-control';
import { compressionType } from './compression.js';
import type { Outgoing, SendFailure, SendOutcome } from './kafka-sink.js';
import { SEND_RETRY } from './kafkajs-producer.js';
import { OnePartitionMessages } from './one-partition-messages.js';
import { baseOffsetOf, messageOf } from './outgoing-message.js';
import { Partitioner } from './partitioner.js';
import { isConcurrentTransaction, sendFailureOf } from './send-failure.js';
import { TRANSACTION_RETRY, type TransactionClient } from './transaction-client.js';
import type {
  RefusedRecord,
  TransactionRequest,
  TransactionsOptions,
} from './transaction-request.js';

interface Session {
  readonly client: TransactionClient;
  readonly producer: Pick<Producer, 'disconnect' | 'transaction'>;
}

/** What a transaction wrote, or will have written when its commit in doubt has happened. */
interface Written {
  readonly nextOffset: bigint;
  readonly outcomes: ReadonlyMap<string, SendOutcome>;
}

/** A send within a transaction. */
interface Part {
  readonly partition: number;
  readonly batch: readonly Outgoing[];
  /** By record id; what the send comes to is entered here … */
  readonly outcomes: Map<string, SendOutcome>;
  /** … and, when the broker refuses a record, here. */
  readonly refused: RefusedRecord[];
}

const OVERTAKING: SendFailure = {
  kind: 'outage',
  message: 'Kafka: the transaction before this one failed.',
};

/** Looks at the group's offset after a commit in doubt: the coordinator shows it a moment after the transaction's end. */
const OFFSET_LOOKS = 4;
const OFFSET_LOOK_PAUSE_MS = 250;

/**
 * The transactions of one input partition, on one producer at a time.
 *
 * Any error ends the producer: kafkajs does not come back from a failed commit or abort, and a batch without an answer
 * leaves its sequence numbers wrong (P6, P7). The next one has the same id, and its first request makes the broker end
 * what is open: from then on the fate of a commit in doubt is settled, and the group's offset tells it.
 */
export class PartitionTransactions {
  private readonly partitioner: Partitioner;
  private session: Session | undefined;
  /** Its commit got no answer. */
  private inDoubt: Written | undefined;
  /** Of a commit that was in doubt and has happened: the same records may be given again, cut differently. */
  private confirmed: Written | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private isClosed = false;
  /** Transactions that failed: one that was given before the last of them must not run. */
  private failures = 0;

  constructor(
    private readonly transactionalId: string,
    private readonly options: TransactionsOptions,
  ) {
    this.partitioner = new Partitioner(() => 0, options.random);
  }

  transact(request: TransactionRequest): Promise<readonly SendOutcome[]> {
    const { failures } = this;
    // Behind one that failed, nothing happens: its offset would be committed over the records that failed.
    const result = this.last.then(() =>
      failures === this.failures ? this.attempt(request) : failedAll(request, OVERTAKING),
    );
    this.last = result;
    return result;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.last;
    await this.discard();
  }

  private async attempt(request: TransactionRequest): Promise<readonly SendOutcome[]> {
    try {
      await this.settleDoubt(request);
      if (!this.isConfirmed(request)) await this.run(request);
      return this.outcomesOf(request);
    } catch (error) {
      await this.discard();
      return this.afterFailure(request, error);
    }
  }

  private async afterFailure(
    request: TransactionRequest,
    error: unknown,
  ): Promise<readonly SendOutcome[]> {
    let failure = sendFailureOf(error);
    try {
      await this.settleDoubt(request);
      if (this.isConfirmed(request)) return this.outcomesOf(request);
    } catch (doubt) {
      // It stays in doubt: the next call begins with settling it.
      await this.discard();
      failure = sendFailureOf(doubt);
    }
    this.failures += 1;
    return failedAll(request, failure);
  }

  /** A confirmed commit holds all of it already. */
  private isConfirmed({ records, offsets }: TransactionRequest): boolean {
    const { confirmed } = this;
    if (confirmed === undefined || records.length === 0) return false;
    const isHeld = records.every((record) => confirmed.outcomes.has(record.recordId));
    return isHeld && confirmed.nextOffset >= offsets.nextOffset;
  }

  private outcomesOf({ records }: TransactionRequest): readonly SendOutcome[] {
    return records.map((record) => this.confirmed!.outcomes.get(record.recordId)!);
  }

  private knownOutcomes({ records }: TransactionRequest): Map<string, SendOutcome> {
    const known = new Map<string, SendOutcome>();
    for (const { recordId } of records) {
      const outcome = this.confirmed?.outcomes.get(recordId);
      if (outcome !== undefined) known.set(recordId, outcome);
    }
    return known;
  }

  private async run(request: TransactionRequest): Promise<void> {
    const { producer } = await this.open();
    const transaction = await producer.transaction();
    const outcomes = this.knownOutcomes(request);
    try {
      await this.fill(transaction, request, outcomes);
    } catch (error) {
      // Readers need not wait for the next owner then. When it fails too, the next producer's first request aborts.
      await transaction.abort().catch(() => undefined);
      throw error;
    }
    this.inDoubt = { nextOffset: request.offsets.nextOffset, outcomes };
    await transaction.commit();
    this.confirmed = this.inDoubt;
    this.inDoubt = undefined;
  }

  /** Everything but the commit. Records that a confirmed commit has written are left out. */
  private async fill(
    transaction: Transaction,
    { records, offsets, keepRefused }: TransactionRequest,
    outcomes: Map<string, SendOutcome>,
  ): Promise<void> {
    const refused: RefusedRecord[] = [];
    const missing = records.filter((record) => !outcomes.has(record.recordId));
    for (const [partition, batches] of this.batchesOf(missing)) {
      for (const batch of batches) {
        await this.send(transaction, { partition, batch, outcomes, refused });
      }
    }
    if (refused.length > 0) await keepRefused(refused);
    await this.sendOffsets(transaction, offsets);
  }

  /** The records of each output partition, in order, in sends of a bounded size. */
  private batchesOf(records: readonly Outgoing[]): Map<number, Outgoing[][]> {
    const { maxRecordsPerSend } = this.options.tuning;
    const byPartition = new Map<number, Outgoing[][]>();
    for (const record of records) {
      const partition = this.partitioner.place(record.key);
      const batches = byPartition.get(partition) ?? [];
      byPartition.set(partition, batches);
      const batch = batches.at(-1);
      if (batch === undefined || batch.length >= maxRecordsPerSend) batches.push([record]);
      else batch.push(record);
    }
    for (const partition of byPartition.keys()) this.partitioner.batchComplete(partition);
    return byPartition;
  }

  /** One send; what spoils it is found by halving, since a refused batch leaves nothing in the transaction. */
  private async send(transaction: Transaction, part: Part): Promise<void> {
    const { topic, tuning } = this.options;
    const { partition, batch, outcomes, refused } = part;
    const messages = OnePartitionMessages.take(
      batch.map((record) => messageOf(record, partition, 0)),
    );
    try {
      const compression = compressionType(tuning.compression);
      const timeout = tuning.producerRequestTimeoutMs;
      const answer = await transaction.send({ topic, messages, acks: -1, compression, timeout });
      const baseOffset = baseOffsetOf(answer, topic, partition);
      batch.forEach(({ recordId }, index) => {
        const offset = baseOffset + BigInt(index);
        outcomes.set(recordId, { kind: 'acknowledged', partition, offset });
      });
    } catch (error) {
      const failure = sendFailureOf(error);
      if (failure.kind !== 'final') throw error;
      const [record] = batch;
      if (batch.length === 1 && record !== undefined) {
        outcomes.set(record.recordId, { kind: 'failed', failure });
        refused.push({ record, failure });
        return;
      }
      const middle = batch.length >>> 1;
      await this.send(transaction, { ...part, batch: batch.slice(0, middle) });
      await this.send(transaction, { ...part, batch: batch.slice(middle) });
    }
  }

  private async sendOffsets(
    transaction: Transaction,
    { groupId, topic, partition, nextOffset }: TransactionRequest['offsets'],
  ): Promise<void> {
    const partitions = [{ partition, offset: String(nextOffset) }];
    const offsets = { consumerGroupId: groupId, topics: [{ topic, partitions }] };
    for (let retriesLeft: number = TRANSACTION_RETRY.retries; ; retriesLeft -= 1) {
      try {
        await transaction.sendOffsets(offsets);
        return;
      } catch (error) {
        // kafkajs waits for the end of the transaction before only in a send, and there may be no record to send.
        if (retriesLeft === 0 || !isConcurrentTransaction(error)) throw error;
        await sleep(this.options.clock, TRANSACTION_RETRY.initialRetryTime);
      }
    }
  }

  /** Finds out whether a commit in doubt has happened. */
  private async settleDoubt({ offsets }: TransactionRequest): Promise<void> {
    const { inDoubt } = this;
    if (inDoubt === undefined) return;
    const { client, producer } = await this.open();
    // Its first request makes the broker end what the last producer left open.
    const transaction = await producer.transaction();
    await transaction.abort();
    const { nextOffset } = inDoubt;
    if (await this.isCommitted(client, { ...offsets, nextOffset })) this.confirmed = inDoubt;
    this.inDoubt = undefined;
  }

  private async isCommitted(
    client: TransactionClient,
    { groupId, topic, partition, nextOffset }: TransactionRequest['offsets'],
  ): Promise<boolean> {
    const admin = client.admin();
    await admin.connect();
    try {
      for (let look = 1; look <= OFFSET_LOOKS; look += 1) {
        const [answer] = await admin.fetchOffsets({ groupId, topics: [topic] });
        const found = answer?.partitions.find((each) => each.partition === partition);
        if (BigInt(found?.offset ?? -1) >= nextOffset) return true;
        await sleep(this.options.clock, OFFSET_LOOK_PAUSE_MS);
      }
      return false;
    } finally {
      await admin.disconnect();
    }
  }

  private async open(): Promise<Session> {
    if (this.isClosed) throw new Error('the transactional producer was stopped');
    if (this.session !== undefined) return this.session;
    const { topic, tuning, transactionTimeoutMs, createClient } = this.options;
    const client = createClient();
    const producer = client.producer({
      transactionalId: this.transactionalId,
      transactionTimeout: transactionTimeoutMs,
      maxInFlightRequests: 1,
      retry: { ...SEND_RETRY, ...TRANSACTION_RETRY, retries: tuning.retries },
      allowAutoTopicCreation: false,
      createPartitioner: this.observingPartitioner(),
    });
    this.session = { client, producer };
    await producer.connect();
    const admin = client.admin();
    await admin.connect();
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      this.partitioner.resize(topics[0]?.partitions.length ?? 0);
    } finally {
      await admin.disconnect();
    }
    return this.session;
  }

  private observingPartitioner(): ICustomPartitioner {
    return () => {
      const place = Partitioners.DefaultPartitioner();
      return (args) => {
        this.partitioner.resize(args.partitionMetadata.length);
        return place(args);
      };
    };
  }

  private async discard(): Promise<void> {
    const { session } = this;
    this.session = undefined;
    // It has nothing to do any more; a connection that doesn't close in order is closed by the broker.
    await session?.producer.disconnect().catch(() => undefined);
  }
}

/** A transaction that failed says nothing about a single record: the whole can be given again. */
function failedAll({ records }: TransactionRequest, failure: SendFailure): readonly SendOutcome[] {
  const kind = failure.kind === 'final' ? 'retryable' : failure.kind;
  return records.map(() => ({ kind: 'failed', failure: { ...failure, kind } }));
}
