import { sleep } from '#libs/flow-control';
import { AssignedPartition } from './assigned-partition.js';
import type { ConsumerClient } from './consumer-client.js';
import type { BookedSource, KafkaBooks } from './kafka-source.js';
import { type LocatorOptions, type OffsetRange, PartitionLocator } from './partition-locator.js';
import type { TransactionalOffsets } from './transactional-offsets.js';

/** Lanes of one topic; a topic has no more partitions than this. */
const LANES_PER_TOPIC = 65_536;
const RETRY_AFTER_MS = 1000;
/** One partition can't take the pools, however few partitions there are. */
const MAX_RECORDS_PER_PARTITION = 1024;
const MIN_RECORDS_PER_PARTITION = 64;

export interface AssignmentOptions extends Omit<LocatorOptions, 'onRecreated' | 'lookAgain'> {
  readonly topics: readonly string[];
  /** Where a topic begins for which neither the group nor the books have a position. */
  readonly start: 'earliest' | 'latest';
  /** Records that the whole pipeline holds; each partition may have its share twice over. */
  readonly pipelineRecords: number;
  readonly books: KafkaBooks;
  /** They move the group's offsets; undefined: the source does. */
  readonly transactions?: TransactionalOffsets;
}

/** Records in flight that one partition may have. */
export function recordsPerPartition(pipelineRecords: number, partitions: number): number {
  const share = Math.floor((2 * pipelineRecords) / Math.max(1, partitions));
  return Math.max(MIN_RECORDS_PER_PARTITION, Math.min(MAX_RECORDS_PER_PARTITION, share));
}

/**
 * Which partitions are ours, and since when: `epoch` counts the joins of this process. kafkajs tells neither what was
 * revoked nor every rebalance; the join is the only signal.
 *
 * E1  Everything that was read, decided or awaited under another epoch is void.
 * E2  A lost partition's mark is closed: late completions mark nothing.
 * E3  Every assigned partition is booked anew, which fences whoever had it; our own mark stays if nobody had it since.
 * E4  After every join each partition's position is set by a seek, never left to the committed offset.
 * E5  With transactions the group's offset beats the books, for it says what was delivered: `low` moves up to it. It is
 *     read after the partition was taken from whoever had it.
 */
export class Assignment {
  epoch = 0;
  private partitions = new Map<string, AssignedPartition>();
  private client: ConsumerClient | undefined;
  private readonly locator: PartitionLocator;

  constructor(private readonly options: AssignmentOptions) {
    this.locator = new PartitionLocator({
      ...options,
      onRecreated: (partition) => this.recreated(partition),
      lookAgain: (partition) => this.isOurs(partition) && this.locate(partition),
    });
  }

  get(topic: string, partition: number): AssignedPartition | undefined {
    return this.partitions.get(`${topic}:${partition}`);
  }

  all(): Iterable<AssignedPartition> {
    return this.partitions.values();
  }

  get size(): number {
    return this.partitions.size;
  }

  isOurs(partition: AssignedPartition): boolean {
    return this.get(partition.topic, partition.partition) === partition;
  }

  /** The client is gone: nothing is read or sought for until the next join. Marks stay. */
  left(): void {
    this.epoch += 1;
    this.client = undefined;
    for (const partition of this.partitions.values()) partition.isReady = false;
  }

  /** Takes a new assignment. Returns before the partitions are ready. */
  joined(client: ConsumerClient, assigned: Readonly<Record<string, readonly number[]>>): void {
    const { pauses, counters, events } = this.options;
    const before = this.partitions;
    this.epoch += 1;
    this.client = client;
    this.partitions = new Map();
    let kept = 0;
    for (const [topic, ids] of Object.entries(assigned)) {
      for (const id of ids) {
        const key = `${topic}:${id}`;
        const known = before.get(key);
        if (known) kept += 1;
        this.partitions.set(key, known ?? new AssignedPartition(topic, id, this.lane(topic, id)));
        before.delete(key);
      }
    }
    for (const lost of before.values()) {
      lost.close();
      this.options.transactions?.release(lost.topic, lost.partition);
    }
    counters.assignments += 1;
    events.emit('assigned', {
      epoch: this.epoch,
      kept,
      gained: this.partitions.size - kept,
      lost: before.size,
    });
    pauses.retain(new Set([...this.partitions.values()].map(({ lane }) => lane)));
    pauses.apply(client.consumer, this.partitions.values());
    for (const topic of Object.keys(assigned)) this.load(topic, this.ofTopic(topic));
  }

  /** The client moved the position by itself: finds out why, and sets it again. */
  locate(partition: AssignedPartition): void {
    this.prepare([partition], async (client) => {
      const ranges = await this.locator.ranges(client, partition.topic);
      await this.locator.place(client, partition, ranges);
    });
  }

  /** Forgets what was handed off and reads the books again. */
  restart(partition: AssignedPartition): void {
    if (!this.isOurs(partition)) return;
    partition.close();
    this.load(partition.topic, [partition]);
  }

  /** The topic was made anew: all its partitions begin again, in a new incarnation. */
  recreated(partition: AssignedPartition): void {
    const { topic, incarnation: oldIncarnation } = partition;
    const oldLow = partition.mark?.low ?? 0n;
    const partitions = this.ofTopic(topic);
    for (const each of partitions) each.close();
    let isTold = false;
    this.load(topic, partitions, async (client) => {
      const { incarnation } = await this.options.books.nextIncarnation(topic, oldIncarnation);
      if (this.options.transactions) await this.beginAnew(client, topic, partitions);
      if (isTold) return;
      isTold = true;
      this.options.counters.incarnations += 1;
      this.options.events.emit('incarnation', {
        topic,
        partition: partition.partition,
        oldIncarnation,
        incarnation,
        oldLow,
      });
    });
  }

  /** The group's offsets of the topic before would be taken for what was delivered of this one. */
  private async beginAnew(
    client: ConsumerClient,
    topic: string,
    partitions: readonly AssignedPartition[],
  ): Promise<void> {
    const ranges = await this.locator.ranges(client, topic);
    await client.consumer.commitOffsets(
      partitions.map(({ partition }) => {
        return { topic, partition, offset: `${ranges.get(partition)?.start ?? 0n}` };
      }),
    );
  }

  private lane(topic: string, partition: number): number {
    return Math.max(0, this.options.topics.indexOf(topic)) * LANES_PER_TOPIC + partition;
  }

  private ofTopic(topic: string): AssignedPartition[] {
    return [...this.partitions.values()].filter((partition) => partition.topic === topic);
  }

  private load(
    topic: string,
    partitions: readonly AssignedPartition[],
    first?: (client: ConsumerClient) => Promise<void>,
  ): void {
    this.prepare(partitions, async (client, isCurrent) => {
      await first?.(client);
      await this.book(client, topic, partitions, isCurrent);
    });
  }

  /** Runs `step` until it succeeds; the partitions are ready then, unless something newer prepares them. */
  private prepare(
    partitions: readonly AssignedPartition[],
    step: (client: ConsumerClient, isCurrent: () => boolean) => Promise<void>,
  ): void {
    const { client, epoch } = this;
    if (!client) return;
    const isCurrent = (): boolean => this.epoch === epoch;
    const run = async (): Promise<void> => {
      for (;;) {
        try {
          await step(client, isCurrent);
          break;
        } catch (error) {
          if (!isCurrent()) return;
          this.options.events.emit('trouble', { during: 'the assignment', error });
          await sleep(this.options.clock, RETRY_AFTER_MS);
          if (!isCurrent()) return;
        }
      }
      if (!isCurrent()) return;
      for (const partition of partitions) {
        if (partition.ready === ready) partition.isReady = partition.mark?.isClosed === false;
      }
    };
    const ready = Promise.resolve().then(run);
    for (const partition of partitions) {
      partition.isReady = false;
      partition.ready = ready;
    }
  }

  private async book(
    client: ConsumerClient,
    topic: string,
    partitions: readonly AssignedPartition[],
    isCurrent: () => boolean,
  ): Promise<void> {
    const { books, pipelineRecords, touch } = this.options;
    const source = await books.source(topic);
    const ranges = await this.locator.ranges(client, topic);
    const committed = await this.committed(client, topic, source, { ranges, partitions });
    if (!isCurrent()) return;
    const starts = partitions.map(({ partition }) => ({
      partition,
      startOffset: startOf(ranges.get(partition), committed.get(partition), source),
    }));
    const rows = await books.assign(source.source, starts);
    if (!isCurrent()) return;
    const maxRecords = recordsPerPartition(pipelineRecords, this.size);
    for (const partition of partitions) {
      const row = rows.find((each) => each.partition === partition.partition);
      if (!row) throw new Error(`The books gave no row for ${topic}:${partition.partition}.`);
      if (partition.take(source, row, maxRecords) === 'kept') touch(partition);
      partition.committed = committed.get(partition.partition);
      await this.follow(partition, row.low, source);
      if (!isCurrent()) return;
      await this.locator.place(client, partition, ranges);
    }
  }

  /** The group's offsets; of a topic that neither the group nor the books know, after its start was committed. */
  private async committed(
    client: ConsumerClient,
    topic: string,
    source: BookedSource,
    parts: {
      readonly ranges: ReadonlyMap<number, OffsetRange>;
      readonly partitions: readonly AssignedPartition[];
    },
  ): Promise<Map<number, bigint>> {
    const { start, transactions } = this.options;
    const taken = await this.taken(parts.partitions);
    const committed = await this.locator.committed(client, topic);
    for (const [partition, offset] of taken) committed.set(partition, offset);
    if (source.isKnown || committed.size > 0) return committed;
    const ours = new Set(parts.partitions.map(({ partition }) => partition));
    const first = [...parts.ranges]
      // For all partitions, not only ours: whoever comes later must not take it for a known topic with new partitions.
      // With transactions that could take back what another member has committed meanwhile.
      .filter(([partition]) => transactions === undefined || ours.has(partition))
      .map(
        ([partition, range]) => [partition, start === 'latest' ? range.end : range.start] as const,
      );
    await client.consumer.commitOffsets(
      first.map(([partition, offset]) => ({ topic, partition, offset: `${offset}` })),
    );
    return new Map(first);
  }

  /** The offsets of the partitions, taken from whoever had them. Nothing without transactions. */
  private async taken(partitions: readonly AssignedPartition[]): Promise<Map<number, bigint>> {
    const { transactions } = this.options;
    const taken = new Map<number, bigint>();
    if (!transactions) return taken;
    await Promise.all(
      partitions.map(async ({ topic, partition }) => {
        const offset = await transactions.take(topic, partition);
        if (offset !== undefined) taken.set(partition, offset);
      }),
    );
    return taken;
  }

  /** What to do about a group's offset that is ahead of the books. */
  private async follow(
    partition: AssignedPartition,
    low: bigint,
    { incarnation }: BookedSource,
  ): Promise<void> {
    const { transactions, books, events } = this.options;
    const { topic, partition: id, committed } = partition;
    if (committed === undefined || committed <= low) return;
    if (!transactions || incarnation > 1) {
      events.emit('committedAhead', { topic, partition: id, committed, low });
      return;
    }
    partition.endedUpTo(committed);
    const entry = partition.entry();
    // Of a partition that was kept, the records below are in flight here, and end in the books by themselves.
    if (!entry || entry.low <= low) return;
    if ((await books.follow([entry])).length > 0) partition.keep(entry);
  }
}

/** The group's offset counts in the first incarnation only; a later one may have inherited it from the topic before. */
function startOf(
  range: OffsetRange | undefined,
  committed: bigint | undefined,
  { incarnation }: BookedSource,
): bigint {
  const start = range?.start ?? 0n;
  if (incarnation > 1 || committed === undefined) return start;
  return range && committed > range.end ? start : committed;
}
