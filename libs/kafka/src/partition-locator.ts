import type { Clock } from '#libs/flow-control';
import type { AssignedPartition } from './assigned-partition.js';
import type { ConsumerClient } from './consumer-client.js';
import type { SourceCounters } from './source-counters.js';
import type { PauseSet } from './pause-set.js';
import type { KafkaSourceEvents } from './source-events.js';

/** First and last + 1 offset that a partition holds. */
export interface OffsetRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** Paused, until it is known whether the log really ends below what was read. */
const END_BELOW_LOW = 'end-below-low';

export interface LocatorOptions {
  readonly groupId: string;
  readonly clock: Clock;
  readonly events: KafkaSourceEvents;
  readonly counters: SourceCounters;
  readonly pauses: PauseSet;
  /** A log that ends below `low` counts when seen twice, so far apart: a lagging leader shows the same for a moment. */
  readonly endBelowLowMs: number;
  /** The partition's watermark changed. */
  readonly touch: (partition: AssignedPartition) => void;
  readonly onRecreated: (partition: AssignedPartition) => void;
  readonly lookAgain: (partition: AssignedPartition) => void;
}

/** Asks the brokers where partitions begin and end, and sets the client's position accordingly. Never seeks out of range. */
export class PartitionLocator {
  constructor(private readonly options: LocatorOptions) {}

  async ranges({ admin }: ConsumerClient, topic: string): Promise<Map<number, OffsetRange>> {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(
      offsets.map(({ partition, low, high }) => [
        partition,
        { start: BigInt(low), end: BigInt(high) },
      ]),
    );
  }

  /** The group's offsets, without those that mean "none" or "the beginning". */
  async committed({ admin }: ConsumerClient, topic: string): Promise<Map<number, bigint>> {
    const { groupId } = this.options;
    const [answer] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const offsets = answer?.partitions ?? [];
    return new Map(
      offsets
        .map(({ partition, offset }) => [partition, BigInt(offset)] as const)
        .filter(([, offset]) => offset >= 0n),
    );
  }

  /** Seeks to the record before `low` when its timestamp is known, to tell a topic that was made anew; else to `low`. */
  async place(
    client: ConsumerClient,
    partition: AssignedPartition,
    ranges: ReadonlyMap<number, OffsetRange>,
  ): Promise<void> {
    const { mark } = partition;
    if (!mark) return;
    let range = ranges.get(partition.partition);
    // Read before the books were, it may just be old.
    if (!range || range.end < mark.low) {
      range = (await this.ranges(client, partition.topic)).get(partition.partition);
    }
    if (!range) throw new Error(`${partition.topic} has no partition ${partition.partition}.`);
    partition.end = range.end;
    if (range.end < mark.low) {
      this.suspect(client, partition);
      return;
    }
    partition.endBelowLowSinceMs = undefined;
    this.options.pauses.resume(client.consumer, partition, END_BELOW_LOW);
    if (range.start > mark.next) this.skipLost(partition, range.start);
    const { low } = mark;
    partition.mustJudge = mark.boundaryTimestampMs !== undefined && low > range.start;
    const first = low > range.start ? low : range.start;
    this.seek(client, partition, partition.mustJudge ? low - 1n : first);
  }

  private seek({ consumer }: ConsumerClient, partition: AssignedPartition, offset: bigint): void {
    partition.position = offset;
    consumer.seek({
      topic: partition.topic,
      partition: partition.partition,
      offset: `${offset}`,
    });
  }

  private skipLost(partition: AssignedPartition, start: bigint): void {
    const { mark, topic } = partition;
    if (!mark) return;
    const { counters, events, touch } = this.options;
    const from = mark.next;
    counters.offsetResets += 1;
    counters.lostRecords += Number(start - from);
    mark.pass(mark.relative(start));
    touch(partition);
    events.emit('offsetReset', { topic, partition: partition.partition, from, to: start });
  }

  private suspect(client: ConsumerClient, partition: AssignedPartition): void {
    const { clock, endBelowLowMs, pauses, onRecreated, lookAgain } = this.options;
    const nowMs = clock.now();
    partition.endBelowLowSinceMs ??= nowMs;
    if (nowMs - partition.endBelowLowSinceMs >= endBelowLowMs) {
      partition.endBelowLowSinceMs = undefined;
      onRecreated(partition);
      return;
    }
    pauses.pause(client.consumer, partition, END_BELOW_LOW);
    clock.setTimer(endBelowLowMs, () => lookAgain(partition));
  }
}
