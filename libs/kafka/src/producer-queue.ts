import {
  type CircuitBreaker,
  fullJitterBackoff,
  type RandomSource,
  sleep,
} from '#libs/flow-control';
import { Delivery, type Entry, wireBytesOf } from './delivery.js';
import {
  KafkaSink,
  type KafkaSinkSnapshot,
  type Outgoing,
  type SendOutcome,
} from './kafka-sink.js';
import type { PartitionProducer } from './partition-producer.js';
import { Partitioner } from './partitioner.js';
import {
  type FailedSend,
  type LaneHost,
  type LaneOptions,
  type LaneState,
  ProducerLane,
} from './producer-lane.js';
import { SendGate } from './send-gate.js';

export interface ProducerQueueOptions extends LaneOptions {
  /** Records inside at most, those that are out included: the limit of pending acknowledgments. */
  readonly maxRecords: number;
  /** Bytes inside at most; a record that is larger is taken when nothing else is inside. */
  readonly bufferBytes: number;
  /** One send at a time over all lanes: kafkajs reuses the sequence numbers of an idempotent producer (P6). */
  readonly idempotent: boolean;
  /** Of the destination: no send while it is open. */
  readonly breaker: Pick<CircuitBreaker, 'tryCall' | 'retryInMs'>;
  /** Decides about a batch that failed: ms until it goes again, or undefined, and its records fail. */
  readonly retryInMs: (failed: FailedSend) => number | undefined;
  readonly random: RandomSource;
}

const CONNECT_BASE_DELAY_MS = 1000;
const CONNECT_MAX_DELAY_MS = 30_000;
const STOPPED = {
  kind: 'failed',
  failure: { kind: 'outage', message: 'Kafka: the producer was stopped.' },
} as const satisfies SendOutcome;

/**
 * The bounded producer: a lane per partition of one topic, and bounds over all of them.
 *
 * Flow: `deliver` → lane of the record's partition → `PartitionProducer.send`. Records that come before the topic's
 * partitions are known wait in front of the lanes.
 *
 * B1 records inside ≤ `maxRecords`, bytes inside ≤ `bufferBytes` or a single record: being full is `undefined`.
 * B2 one send per partition at a time (Q1), one in all when `idempotent`, none without a ticket of the breaker.
 */
export class ProducerQueue extends KafkaSink {
  private readonly lanes = new Map<number, ProducerLane>();
  private readonly partitioner: Partitioner;
  private readonly gate: SendGate;
  private readonly host: LaneHost;
  private readonly stopping = new AbortController();
  private readonly drains = new Set<() => void>();
  private readonly counts = { acknowledged: 0, failed: 0, sends: 0, failedSends: 0, late: 0 };
  private unplaced: Entry[] = [];
  private queuedRecords = 0;
  private queuedBytes = 0;
  private connecting: Promise<void> | undefined;

  constructor(
    private readonly producer: PartitionProducer,
    private readonly options: ProducerQueueOptions,
  ) {
    super();
    const { breaker, clock, idempotent, random } = options;
    this.partitioner = new Partitioner((each) => this.lanes.get(each)?.bytes ?? 0, random);
    this.gate = new SendGate({ breaker, clock, maxSends: idempotent ? 1 : Infinity });
    this.host = this.hostOfLanes();
  }

  get room(): number {
    const { maxRecords, bufferBytes } = this.options;
    const isClosed = this.stopping.signal.aborted || this.queuedBytes >= bufferBytes;
    return isClosed ? 0 : maxRecords - this.queuedRecords;
  }

  start(): void {
    this.connecting ??= this.connect();
  }

  /** The topic has this many partitions, says its metadata. */
  partitionsKnown(partitions: number): void {
    if (!this.partitioner.resize(partitions)) return;
    this.place(this.unplaced.splice(0));
  }

  accepts(records: readonly Outgoing[]): number {
    const limit = Math.min(records.length, this.room);
    let bytes = this.queuedBytes;
    for (let count = 0; count < limit; count += 1) {
      bytes += wireBytesOf(records[count]!);
      if (bytes > this.options.bufferBytes && this.queuedRecords + count > 0) return count;
    }
    return limit;
  }

  deliver(records: readonly Outgoing[]): Promise<readonly SendOutcome[]> | undefined {
    if (this.stopping.signal.aborted || this.accepts(records) < records.length) return undefined;
    const delivery = new Delivery(records.length, this.options.clock.now());
    const entries = records.map((record, index) => {
      const sizeBytes = wireBytesOf(record);
      this.queuedBytes += sizeBytes;
      return { record, sizeBytes, delivery, index };
    });
    this.queuedRecords += records.length;
    this.place(entries);
    return delivery.promise;
  }

  async drain(deadlineMs: number): Promise<void> {
    const { clock } = this.options;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.drains.delete(end);
        resolve();
      };
      const timer = clock.setTimer(deadlineMs - clock.now(), end);
      this.drains.add(end);
      for (const lane of this.lanes.values()) lane.pump();
      this.endDrains();
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.gate.stop();
    for (const entry of this.unplaced.splice(0)) this.settle(entry, STOPPED);
    for (const lane of this.lanes.values()) lane.close(STOPPED.failure);
    this.endDrains();
    await this.producer.close();
    await this.connecting;
  }

  snapshot(): KafkaSinkSnapshot {
    const { acknowledged, failed, sends, failedSends, late } = this.counts;
    return {
      queuedRecords: this.queuedRecords,
      queuedBytes: this.queuedBytes,
      recordCapacity: this.options.maxRecords,
      byteCapacity: this.options.bufferBytes,
      partitions: this.partitioner.partitions,
      unplaced: this.unplaced.length,
      lanes: {
        sending: this.lanesIn('sending'),
        held: this.lanesIn('waiting', 'backing-off'),
        late: this.lanesIn('late'),
      },
      acknowledged,
      failed,
      sends,
      failedSends,
      lateAnswers: late,
    };
  }

  private lanesIn(...states: readonly LaneState[]): number {
    let count = 0;
    for (const lane of this.lanes.values()) if (states.includes(lane.state)) count += 1;
    return count;
  }

  private async connect(): Promise<void> {
    const { clock, random } = this.options;
    const { signal } = this.stopping;
    const delays = { baseMs: CONNECT_BASE_DELAY_MS, maxMs: CONNECT_MAX_DELAY_MS, random };
    const backoff = fullJitterBackoff(delays);
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await this.producer.connect();
        return;
      } catch {
        // A broker that is away is an outage like any other: the records wait, the snapshot shows them as unplaced.
        await sleep(clock, backoff.delayMs(attempt), signal).catch(() => undefined);
      }
    }
  }

  private place(entries: readonly Entry[]): void {
    if (this.partitioner.partitions === 0) {
      for (const entry of entries) this.unplaced.push(entry);
      return;
    }
    const touched = new Set<ProducerLane>();
    for (const entry of entries) {
      const lane = this.laneOf(this.partitioner.place(entry.record.key));
      lane.push(entry);
      if (lane.isBatchFull) this.partitioner.batchComplete(lane.partition);
      touched.add(lane);
    }
    for (const lane of touched) lane.pump();
  }

  private laneOf(partition: number): ProducerLane {
    let lane = this.lanes.get(partition);
    if (lane === undefined) {
      lane = new ProducerLane(partition, this.options, this.host);
      this.lanes.set(partition, lane);
    }
    return lane;
  }

  private hostOfLanes(): LaneHost {
    return {
      isDraining: () => this.drains.size > 0,
      exists: (partition) => partition < this.partitioner.partitions,
      enter: (lane) => this.gate.enter(lane),
      left: () => {
        this.gate.left();
        // After the lane's own next step, which follows at once.
        queueMicrotask(() => this.endDrains());
      },
      send: (partition, records, failedSends) => {
        this.counts.sends += 1;
        return this.producer.send(partition, records, failedSends);
      },
      failed: (failed) => {
        this.counts.failedSends += 1;
        // The lane may be held from now on.
        queueMicrotask(() => this.endDrains());
        return this.options.retryInMs(failed);
      },
      settle: (entry, outcome) => this.settle(entry, outcome),
      batchComplete: (partition) => this.partitioner.batchComplete(partition),
      replace: (entries) => this.place(entries),
      answeredLate: () => {
        this.counts.late += 1;
      },
    };
  }

  private settle(entry: Entry, outcome: SendOutcome): void {
    this.counts[outcome.kind] += 1;
    this.queuedRecords -= 1;
    this.queuedBytes -= entry.sizeBytes;
    entry.delivery.settle(entry.index, outcome);
  }

  /** What is not out is held by a failure: waiting for it would be waiting for the end of an outage. */
  private endDrains(): void {
    if (this.drains.size === 0 || this.lanesIn('sending') > 0) return;
    for (const end of this.drains) end();
  }
}
