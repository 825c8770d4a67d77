import { Logger } from '@nestjs/common';
import { type Clock, sleep } from '#libs/flow-control';
import type {
  SendFailure,
  TopicCheck,
  TransactionRequest,
  TransactionResult,
  Transactions,
} from '#libs/kafka';
import type { Acknowledgments } from '../../ledger/acknowledgments.port.js';
import type { DestinationState } from '../../pipeline/destination/destinations.js';
import type { PipelineRecord } from '../../pipeline/record.js';
import { InputLane, type LaneCut } from './input-lane.js';
import type { DeliveryContext, DeliveryOutcome, Sink, SinkStatus } from './sink.js';
import { type HeldRecord, TransactionalCall } from './transactional-call.js';

export interface TransactionalKafkaSinkParts {
  readonly name: string;
  readonly topic: string;
  readonly transactions: Pick<Transactions, 'transact' | 'stop'>;
  readonly acknowledgments: Acknowledgments;
  /** Makes the check of the output topic. */
  readonly createTopicCheck: (
    onReady: () => void,
  ) => Pick<TopicCheck, 'state' | 'detail' | 'start' | 'stop'>;
  /** Rejects with an explained error when records wait for delivery that came from somewhere else. */
  readonly requireKafkaOnly: () => Promise<void>;
  /** Records and bytes that FinalSink may hand over. */
  readonly capacity: { readonly records: number; readonly bytes: number };
  readonly clock: Clock;
}

/** What FinalSink hands over at a time. */
const MAX_BATCH_RECORDS = 1000;

const STOPPED: DeliveryOutcome = {
  kind: 'failed',
  failure: { kind: 'outage', message: 'Kafka: the sink was stopped.' },
};

const LEFT: DeliveryOutcome = {
  kind: 'failed',
  failure: { kind: 'outage', message: 'Kafka: the input partition is somebody else’s.' },
};

interface Lane {
  readonly queue: InputLane<HeldRecord>;
  readonly topic: string;
  readonly partition: number;
  state: 'idle' | 'running' | 'failing';
  isWatching: boolean;
}

/**
 * Delivers to a Kafka topic exactly once: the records of an input partition and the group's offset behind them are one
 * transaction, and its commit is the acknowledgment.
 *
 * Flow: `deliver` → lane of the input partition → cut at contiguous offsets → transaction → books → acknowledged. While a
 * transaction runs, what comes makes up the next one.
 *
 * TS1 the committed offset is the acknowledgment; the books follow, and what they miss at a crash is told by the offset.
 * TS2 a record that is given up has its dead letter before an offset behind it is committed.
 * TS3 records of a partition that is no longer ours are left to whoever has it.
 * TS4 the records of an input partition arrive in the order of their offsets, or this waits for one that waits for room:
 *     AsyncEgress keeps that order.
 */
export class TransactionalKafkaSink implements Sink {
  readonly name: string;
  readonly isOrdered = true;
  readonly repeats = true;
  readonly endsRecords = true;
  readonly maxBatchRecords = MAX_BATCH_RECORDS;
  private readonly logger = new Logger(TransactionalKafkaSink.name);
  private readonly topicCheck: ReturnType<TransactionalKafkaSinkParts['createTopicCheck']>;
  private readonly lanes = new Map<string, Lane>();
  private readonly stopping = new AbortController();
  private readonly counts = { acknowledged: 0, failed: 0, sends: 0, failedSends: 0 };
  /** Of the last transaction, when it failed. */
  private trouble: string | undefined;
  private heldRecords = 0;
  private heldBytes = 0;

  constructor(private readonly parts: TransactionalKafkaSinkParts) {
    this.name = parts.name;
    this.topicCheck = parts.createTopicCheck(() => this.runAll());
  }

  get isHeld(): boolean {
    return this.trouble !== undefined || this.topicCheck.state !== 'ready';
  }

  /** Returns before there is a connection: the service starts without a broker. */
  async start(): Promise<void> {
    await this.parts.requireKafkaOnly();
    this.topicCheck.start();
  }

  async stop(): Promise<void> {
    this.stopping.abort(new Error('The sink stops.'));
    this.runAll();
    await Promise.all([this.topicCheck.stop(), this.parts.transactions.stop()]);
  }

  deliver(
    records: readonly PipelineRecord[],
    context: DeliveryContext,
  ): Promise<readonly DeliveryOutcome[]> {
    const call = new TransactionalCall(records, context);
    const lanes = new Set<Lane>();
    for (const held of call.held) {
      const lane = this.laneOf(held);
      lane.queue.push(held);
      lanes.add(lane);
      this.heldRecords += 1;
      this.heldBytes += held.record.sizeBytes;
    }
    for (const lane of lanes) void this.run(lane);
    return call.outcomes;
  }

  status(): SinkStatus & Required<Pick<SinkStatus, 'producer'>> {
    const { topic, capacity } = this.parts;
    const lanes = [...this.lanes.values()];
    const count = (state: Lane['state']): number =>
      lanes.filter((lane) => lane.state === state).length;
    const producer = {
      queuedRecords: this.heldRecords,
      queuedBytes: this.heldBytes,
      recordCapacity: capacity.records,
      byteCapacity: capacity.bytes,
      // Of the input: the output's are the transactions' own.
      partitions: lanes.length,
      unplaced: 0,
      lanes: { sending: count('running'), held: count('failing'), late: 0 },
      ...this.counts,
      lateAnswers: 0,
    };
    return { topic, ...this.stateNow(), producer };
  }

  private stateNow(): { state: DestinationState; detail: string | undefined } {
    const { state, detail } = this.topicCheck;
    if (state === 'waiting') return { state: 'away', detail };
    if (state !== 'ready') return { state, detail };
    return { state: this.trouble === undefined ? 'ready' : 'away', detail: this.trouble };
  }

  private laneOf({ topic, partition, laneName }: HeldRecord): Lane {
    let lane = this.lanes.get(laneName);
    if (lane === undefined) {
      const queue = new InputLane<HeldRecord>();
      lane = { queue, topic, partition, state: 'idle', isWatching: false };
      this.lanes.set(laneName, lane);
    }
    return lane;
  }

  private runAll(): void {
    for (const lane of this.lanes.values()) void this.run(lane);
  }

  /** One transaction after the other, as long as there is something to cut. */
  private async run(lane: Lane): Promise<void> {
    if (lane.state !== 'idle' || (this.topicCheck.state !== 'ready' && !this.isStopped)) return;
    lane.state = 'running';
    while (await this.turn(lane)) lane.state = 'running';
    lane.state = 'idle';
  }

  /** False when nothing can be done until something comes or moves; no await since the last look at the lane. */
  private async turn(lane: Lane): Promise<boolean> {
    for (const lost of lane.queue.takeLost()) this.leave(lost);
    if (this.isStopped) {
      for (const held of lane.queue.takeAll()) this.settle(held, STOPPED);
      return false;
    }
    const cut = lane.queue.cut();
    if (cut === undefined) {
      this.watch(lane);
      return false;
    }
    const result = await this.parts.transactions.transact(requestOf(lane, cut));
    this.counts.sends += 1;
    if (result.kind === 'committed') this.committed(lane, cut, result);
    // A stop makes it fail, which says nothing about its records.
    else if (this.isStopped) return true;
    else if (result.kind === 'failed') await this.failed(lane, cut, result.failure);
    else await this.refused(lane, cut, result);
    return true;
  }

  /** Somewhere upstream is a record that goes before these: its end makes no call of this sink. */
  private watch(lane: Lane): void {
    if (lane.isWatching || lane.queue.size === 0) return;
    lane.isWatching = true;
    lane.queue.whenMoved(() => {
      lane.isWatching = false;
      void this.run(lane);
    });
  }

  private committed(
    lane: Lane,
    cut: LaneCut<HeldRecord>,
    { places }: TransactionResult & { kind: 'committed' },
  ): void {
    this.trouble = undefined;
    lane.queue.committed(cut);
    const sent = cut.items.filter(({ isGivenUp }) => !isGivenUp);
    const { topic } = this.parts;
    const ends = sent.map((held, i) => {
      const place = places[i];
      return { held, externalId: place && `${topic}:${place.partition}:${place.offset}` };
    });
    this.counts.acknowledged += ends.length;
    if (ends.length > 0) void this.enter(ends);
  }

  private async enter(
    ends: readonly { readonly held: HeldRecord; readonly externalId: string | undefined }[],
  ): Promise<void> {
    const endings = ends.map(({ held: { record }, externalId }) => ({
      record,
      terminal: { status: 'acknowledged' } as const,
      attempts: record.attempts + 1,
      destination: this.name,
      externalId,
    }));
    try {
      const refused = await this.parts.acknowledgments.finish(endings);
      for (const { ending, error } of refused) {
        this.logger.error(`Delivered, not in the books: ${ending.record.id}: ${error.message}`);
      }
    } catch {
      // The ledger stops. They are delivered: the group's offset says so to whoever comes next (TS1).
      for (const { held } of ends) this.leave(held);
      return;
    }
    for (const { held, externalId } of ends) {
      this.settle(held, { kind: 'acknowledged', externalId });
    }
  }

  private async failed(
    lane: Lane,
    { items }: LaneCut<HeldRecord>,
    failure: SendFailure,
  ): Promise<void> {
    this.trouble = failure.message;
    this.counts.failedSends += 1;
    lane.state = 'failing';
    const waits: number[] = [];
    for (const held of items) {
      // A partition that was lost meanwhile fails because somebody else has it: that says nothing about its records.
      if (held.isGivenUp || !held.completion.isOurs) continue;
      const delayMs = held.call.context.again(held.record, failure);
      if (delayMs === undefined) await this.giveUp(lane, held, failure);
      else waits.push(delayMs);
    }
    const delayMs = waits.reduce((a, b) => Math.max(a, b), 0);
    // Only a stop ends it early, and the next turn sees that.
    await sleep(this.parts.clock, delayMs, this.stopping.signal).catch(() => undefined);
  }

  private async refused(
    lane: Lane,
    { items }: LaneCut<HeldRecord>,
    { refused }: TransactionResult & { kind: 'refused' },
  ): Promise<void> {
    this.trouble = undefined;
    const byOffset = new Map(items.map((held) => [held.offset, held]));
    for (const { record, failure } of refused) {
      const held = byOffset.get(record.offset)!;
      held.call.context.again(held.record, failure);
      await this.giveUp(lane, held, failure);
    }
  }

  /** With its end it stays in its lane, so that the cut goes over it; without one no cut gets past it (IL1). */
  private async giveUp({ queue }: Lane, held: HeldRecord, failure: SendFailure): Promise<void> {
    const hasEnd = await held.call.context.early?.giveUp(held.record);
    if (hasEnd === false) queue.remove(held);
    else held.isGivenUp = true;
    this.counts.failed += 1;
    this.settle(held, { kind: 'failed', failure });
  }

  private leave(held: HeldRecord): void {
    held.call.context.early?.leave(held.record);
    this.settle(held, LEFT);
  }

  private settle(held: HeldRecord, outcome: DeliveryOutcome): void {
    if (!held.call.settle(held, outcome)) return;
    this.heldRecords -= 1;
    this.heldBytes -= held.record.sizeBytes;
  }

  private get isStopped(): boolean {
    return this.stopping.signal.aborted;
  }
}

function requestOf(
  { topic, partition }: Lane,
  { items, nextOffset }: LaneCut<HeldRecord>,
): TransactionRequest {
  const sent = items.filter(({ isGivenUp }) => !isGivenUp);
  return { topic, partition, nextOffset, records: sent.map(({ outgoing }) => outgoing) };
}
