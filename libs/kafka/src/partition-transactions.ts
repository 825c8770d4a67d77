import { type ICustomPartitioner, Partitioners, type Producer, type Transaction } from 'kafkajs';
import { sleep } from '#libs/flow-control';
import { compressionType } from './compression.js';
import type { SendFailure } from './kafka-sink.js';
import { SEND_RETRY } from './kafkajs-producer.js';
import { OnePartitionMessages } from './one-partition-messages.js';
import { baseOffsetOf, messageOf } from './outgoing-message.js';
import { Partitioner } from './partitioner.js';
import { isConcurrentTransaction, sendFailureOf } from './send-failure.js';
import { UNSTABLE_OFFSET, withStableOffsets } from './stable-offset-fetch.js';
import { TRANSACTION_RETRY, type TransactionClient } from './transaction-client.js';
import type {
  OutputPlace,
  RefusedRecord,
  TransactionRecord,
  TransactionRequest,
  TransactionResult,
  TransactionsOptions,
} from './transaction-request.js';

interface Session {
  readonly producer: Pick<Producer, 'disconnect' | 'transaction'>;
  /** The group's offset; undefined = none. */
  position: bigint | undefined;
}

/** A send within a transaction; what it comes to is entered in `places`, or in `refused`. */
interface Part {
  readonly partition: number;
  readonly batch: readonly TransactionRecord[];
  readonly places: Map<bigint, OutputPlace>;
  readonly refused: RefusedRecord[];
}

const OVERTAKING: SendFailure = {
  kind: 'outage',
  message: 'Kafka: the transaction before this one failed.',
};

/** Looks for a stable offset: the coordinator shows it a moment after the transaction's end. 100 looks last 3 s. */
const OFFSET_LOOKS = 100;
const OFFSET_LOOK_PAUSE_MS = 30;

/**
 * The transactions of one input partition, on one producer at a time.
 *
 * Any error ends the producer: kafkajs does not come back from a failed commit or abort, and a batch without an answer
 * leaves its sequence numbers wrong (P6, P7). The next one has the same id, and its first request makes the broker end
 * what is open: from then on the fate of a commit in doubt is settled, and the group's offset tells it.
 */
export class PartitionTransactions {
  private readonly partitioner: Partitioner;
  private readonly transactionalId: string;
  private session: Session | undefined;
  private last: Promise<unknown> = Promise.resolve();
  private isClosed = false;
  /** Transactions that failed: one that was given before the last of them must not run. */
  private failures = 0;

  constructor(
    private readonly input: { readonly topic: string; readonly partition: number },
    private readonly options: TransactionsOptions,
  ) {
    this.transactionalId = `penstock-${options.groupId}-${input.topic}-${input.partition}`;
    this.partitioner = new Partitioner(() => 0, options.random);
  }

  /** Takes the partition anew, behind what is running; resolves with the group's offset. */
  take(): Promise<bigint | undefined> {
    const result = this.last.then(async () => {
      await this.discard();
      return (await this.open()).position;
    });
    this.last = result.catch(() => undefined);
    return result;
  }

  transact(request: TransactionRequest): Promise<TransactionResult> {
    const { failures } = this;
    // Behind one that failed, nothing happens: its offset would be committed over the records that failed.
    const result = this.last.then(() =>
      failures === this.failures
        ? this.attempt(request)
        : ({ kind: 'failed', failure: OVERTAKING } as const),
    );
    this.last = result;
    return result;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.last;
    await this.discard();
  }

  private async attempt(request: TransactionRequest): Promise<TransactionResult> {
    try {
      return await this.run(await this.open(), request);
    } catch (error) {
      this.failures += 1;
      await this.discard();
      return { kind: 'failed', failure: failureOf(error) };
    }
  }

  private async run(session: Session, request: TransactionRequest): Promise<TransactionResult> {
    const { position } = session;
    const { records, nextOffset } = request;
    const places = new Map<bigint, OutputPlace>();
    const unsent = records.filter(({ offset }) => position === undefined || offset >= position);
    if (position === undefined || nextOffset > position) {
      const refused = await this.commit(session.producer, { unsent, nextOffset, places });
      if (refused.length > 0) {
        this.failures += 1;
        return { kind: 'refused', refused };
      }
      session.position = nextOffset;
    }
    return { kind: 'committed', places: records.map(({ offset }) => places.get(offset)) };
  }

  /** Returns the refused records; when there are any, the transaction was aborted. */
  private async commit(
    producer: Session['producer'],
    work: {
      readonly unsent: readonly TransactionRecord[];
      readonly nextOffset: bigint;
      readonly places: Map<bigint, OutputPlace>;
    },
  ): Promise<readonly RefusedRecord[]> {
    const transaction = await producer.transaction();
    const refused: RefusedRecord[] = [];
    try {
      for (const [partition, batches] of this.batchesOf(work.unsent)) {
        for (const batch of batches) {
          await this.send(transaction, { partition, batch, places: work.places, refused });
        }
      }
      if (refused.length === 0) await this.sendOffsets(transaction, work.nextOffset);
    } catch (error) {
      // Readers need not wait for the next owner then. When it fails too, the next producer's first request aborts.
      await transaction.abort().catch(() => undefined);
      throw error;
    }
    await (refused.length === 0 ? transaction.commit() : transaction.abort());
    return refused;
  }

  /** The records of each output partition, in order, in sends of a bounded size. */
  private batchesOf(records: readonly TransactionRecord[]): Map<number, TransactionRecord[][]> {
    const { maxRecordsPerSend } = this.options.tuning;
    const byPartition = new Map<number, TransactionRecord[][]>();
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
    const { partition, batch, places, refused } = part;
    const messages = OnePartitionMessages.take(
      batch.map((record) => messageOf(record, partition, 0)),
    );
    try {
      const compression = compressionType(tuning.compression);
      const timeout = tuning.producerRequestTimeoutMs;
      const answer = await transaction.send({ topic, messages, acks: -1, compression, timeout });
      const baseOffset = baseOffsetOf(answer, topic, partition);
      batch.forEach(({ offset }, index) => {
        places.set(offset, { partition, offset: baseOffset + BigInt(index) });
      });
    } catch (error) {
      const failure = sendFailureOf(error);
      if (failure.kind !== 'final') throw error;
      const [record] = batch;
      if (batch.length === 1 && record !== undefined) {
        refused.push({ record, failure });
        return;
      }
      const middle = batch.length >>> 1;
      await this.send(transaction, { ...part, batch: batch.slice(0, middle) });
      await this.send(transaction, { ...part, batch: batch.slice(middle) });
    }
  }

  private async sendOffsets(transaction: Transaction, nextOffset: bigint): Promise<void> {
    const { topic, partition } = this.input;
    const partitions = [{ partition, offset: String(nextOffset) }];
    const offsets = { consumerGroupId: this.options.groupId, topics: [{ topic, partitions }] };
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

  private async open(): Promise<Session> {
    if (this.isClosed) throw new Error('the transactional producer was stopped');
    if (this.session !== undefined) return this.session;
    const { tuning, transactionTimeoutMs, createClient } = this.options;
    const client = createClient();
    const producer = client.producer({
      transactionalId: this.transactionalId,
      transactionTimeout: transactionTimeoutMs,
      maxInFlightRequests: 1,
      retry: { ...SEND_RETRY, ...TRANSACTION_RETRY, retries: tuning.retries },
      allowAutoTopicCreation: false,
      createPartitioner: this.observingPartitioner(),
    });
    try {
      await producer.connect();
      // Takes the id: what its last owner has open is ended before this is answered. There is nothing to abort here.
      await (await producer.transaction()).abort();
      this.session = { producer, position: await this.look(client) };
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
    return this.session;
  }

  /** Learns how many partitions the output has, and the group's offset (X4). */
  private async look(client: TransactionClient): Promise<bigint | undefined> {
    const admin = client.admin();
    await admin.connect();
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [this.options.topic] });
      this.partitioner.resize(topics[0]?.partitions.length ?? 0);
      return await this.stableOffset(admin);
    } finally {
      await admin.disconnect();
    }
  }

  private async stableOffset(
    admin: ReturnType<TransactionClient['admin']>,
  ): Promise<bigint | undefined> {
    const { groupId, clock } = this.options;
    const { topic, partition } = this.input;
    for (let look = 1; look <= OFFSET_LOOKS; look += 1) {
      const [answer] = await withStableOffsets(() =>
        admin.fetchOffsets({ groupId, topics: [topic] }),
      );
      const found = answer?.partitions.find((each) => each.partition === partition)?.offset;
      if (found !== UNSTABLE_OFFSET) {
        return found === undefined || found.startsWith('-') ? undefined : BigInt(found);
      }
      await sleep(clock, OFFSET_LOOK_PAUSE_MS);
    }
    throw new Error('the end of the last transaction is not yet known');
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

/** A transaction that failed says nothing about a single record: it costs none of them an attempt. */
function failureOf(error: unknown): SendFailure {
  const failure = sendFailureOf(error);
  return { ...failure, kind: failure.kind === 'busy' ? 'busy' : 'outage', isTimeout: false };
}
