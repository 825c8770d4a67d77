import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Clock, TokenBucket } from '#libs/flow-control';
import type { EachBatchPayload } from 'kafkajs';
import type { AssignedPartition } from './assigned-partition.js';
import type { Assignment } from './assignment.js';
import { FetchedBatch, type PositionedBatch } from './fetched-batch.js';
import type { Heart } from './heart.js';
import type { OrderedCompletion, SourceGrant, SourceHandler } from './kafka-source.js';
import type { SourceCounters } from './source-counters.js';
import type { OffsetWatermark } from './offset-watermark.js';
import type { PauseSet } from './pause-set.js';
import type { KafkaSourceEvents } from './source-events.js';
import type { StallWatch } from './stall-watch.js';

export interface HandOffOptions {
  readonly handler: SourceHandler;
  readonly clock: Clock;
  readonly events: KafkaSourceEvents;
  readonly counters: SourceCounters;
  readonly assignment: Assignment;
  readonly heart: Heart;
  readonly pauses: PauseSet;
  readonly stalls: StallWatch;
  readonly rate: TokenBucket;
  readonly maxRecordsPerTurn: number;
  /** Between two heartbeats of a wait. */
  readonly creditWaitSliceMs: number;
  /** A handler that waited so long for credit gives its partition back to the fetch loop, paused. */
  readonly pauseAfterMs: number;
  /** Records of this partition ended. */
  readonly onDone: (partition: AssignedPartition, count: number) => void;
}

/** One call of the handler by kafkajs: a partition and what was fetched of it. */
interface Visit {
  readonly payload: EachBatchPayload;
  readonly partition: AssignedPartition;
  readonly mark: OffsetWatermark;
  readonly epoch: number;
  readonly batch: FetchedBatch;
  readonly leaving: AbortController;
  /** Monotonic ms since which nothing could be handed off. */
  waitingSinceMs: number | undefined;
}

/**
 * Takes what kafkajs fetched to the pipeline: one credit request, one copy and one hand-over for many records.
 *
 * L1  Nothing is handed off, resolved or marked after the epoch, the mark or the position changed: checked after every
 *     await, with none between that check and `begin`, `offer`, `resolveOffset`.
 * L2  A wait is at most `creditWaitSliceMs` long, and a heartbeat follows each: rejoin and stop wait for this handler.
 * L3  Only what `beat` lets through leaves it; whatever else goes wrong closes the mark and reads the books again.
 * L4  What was not handed off is not resolved, and is fetched again. Credits go back on every path.
 */
export class HandOffLoop {
  private isOpen = true;

  constructor(private readonly options: HandOffOptions) {}

  open(): void {
    this.isOpen = true;
  }

  /** Hands off nothing more; handlers that wait return within a slice. */
  close(): void {
    this.isOpen = false;
  }

  readonly eachBatch = async (payload: EachBatchPayload): Promise<void> => {
    const { assignment, heart, counters, events } = this.options;
    const partition = assignment.get(payload.batch.topic, payload.batch.partition);
    if (!partition) return;
    const leaving = new AbortController();
    try {
      await this.visit(payload, partition, leaving);
    } catch (error) {
      if (heart.hasLet(error)) throw error;
      counters.handlerErrors += 1;
      events.emit('trouble', { during: 'the hand-off', error });
      assignment.restart(partition);
    } finally {
      partition.waitingBytes = 0;
      leaving.abort();
    }
  };

  private async visit(
    payload: EachBatchPayload,
    partition: AssignedPartition,
    leaving: AbortController,
  ): Promise<void> {
    const { assignment, pauses } = this.options;
    const { epoch } = assignment;
    if (!(await this.untilReady(payload, partition, epoch))) return;
    const { mark } = partition;
    if (!mark || payload.isStale() || !this.isOpen || pauses.isPaused(partition.lane)) return;
    const { messages, highWatermark, fetchedOffset } = payload.batch as PositionedBatch;
    if (BigInt(fetchedOffset) !== partition.position) {
      assignment.locate(partition);
      return;
    }
    partition.end = BigInt(highWatermark);
    if (this.isRecreated(payload, partition, mark)) {
      assignment.recreated(partition);
      return;
    }
    const batch = new FetchedBatch(messages, mark);
    partition.waitingBytes = batch.bytes;
    await this.handOff({
      payload,
      partition,
      mark,
      epoch,
      batch,
      leaving,
      waitingSinceMs: undefined,
    });
  }

  private async untilReady(
    payload: EachBatchPayload,
    partition: AssignedPartition,
    epoch: number,
  ): Promise<boolean> {
    while (!partition.isReady) {
      await this.wait((wake) => void partition.ready.then(wake));
      if (!payload.isRunning() || this.options.assignment.epoch !== epoch) return false;
      await this.options.heart.beat(payload);
      if (this.options.assignment.epoch !== epoch) return false;
    }
    return true;
  }

  /** The record before `low` has another timestamp than the one that the books remember. Missing: no verdict. */
  private isRecreated(
    { batch }: EachBatchPayload,
    partition: AssignedPartition,
    mark: OffsetWatermark,
  ): boolean {
    if (!partition.mustJudge) return false;
    partition.mustJudge = false;
    const [first] = batch.messages;
    if (!first || BigInt(first.offset) !== partition.position) return false;
    return Number(first.timestamp) !== mark.boundaryTimestampMs;
  }

  private async handOff(visit: Visit): Promise<void> {
    const { batch, mark, payload } = visit;
    const { counters, heart } = this.options;
    let i = 0;
    while (i < batch.length) {
      const from = i;
      while (i < batch.length && mark.isDuplicate(batch.offsets[i] ?? 0)) i += 1;
      // Resolved too, else they are fetched for ever.
      if (i > from) this.resolve(visit, i);
      counters.duplicates += i - from;
      if (i === batch.length) break;
      const count = await this.turn(visit, i);
      if (!this.isLive(visit)) return;
      i += count;
      if (count === 0) {
        if (this.options.stalls.isStalled(visit)) return;
      } else await yieldToEventLoop();
      await heart.beat(payload);
      if (!this.isLive(visit)) return;
    }
    mark.pass(mark.parse(payload.batch.lastOffset()) + 1);
    this.options.onDone(visit.partition, 0);
  }

  /** Hands off some records from index `from`, or waits for at most a slice. Returns how many were handed off. */
  private async turn(visit: Visit, from: number): Promise<number> {
    const { mark, batch, partition } = visit;
    const { maxRecordsPerTurn, rate, clock } = this.options;
    const count = mark.prefix(batch.offsets, from, maxRecordsPerTurn);
    if (count === 0) {
      visit.waitingSinceMs ??= clock.now();
      await this.wait((wake) => partition.whenRoom(wake));
      return 0;
    }
    const turn = rate.tryTake();
    if (!turn.admitted) {
      await this.wait(() => undefined, turn.retryAfterMs);
      return 0;
    }
    const grant = await this.credits(visit, from, this.perTurn(count));
    if (!grant || !this.isLive(visit)) {
      rate.giveBack(1);
      grant?.release();
      return 0;
    }
    rate.charge(grant.count - 1);
    this.handOver(visit, from, grant);
    return grant.count;
  }

  /** A rate is kept within a tenth of a second: nobody gets the second's share at once. */
  private perTurn(count: number): number {
    const { perSecondMax } = this.options.rate;
    return Math.min(count, Math.max(1, Math.ceil(perSecondMax / 10)));
  }

  private async credits(
    visit: Visit,
    from: number,
    count: number,
  ): Promise<SourceGrant | undefined> {
    const { handler, clock, creditWaitSliceMs } = this.options;
    const sizes = visit.batch.sizes.subarray(from, from + count);
    const { lane } = visit.partition;
    const now = handler.request(count, sizes, lane);
    if (now) return now;
    visit.waitingSinceMs ??= clock.now();
    return handler.wait(count, sizes, lane, {
      signal: visit.leaving.signal,
      timeoutMs: creditWaitSliceMs,
    });
  }

  /** No await in here (L1). */
  private handOver(visit: Visit, from: number, grant: SourceGrant): void {
    const { batch, mark, partition } = visit;
    const { counters, handler, onDone } = this.options;
    const { count } = grant;
    const bytes = batch.bytesOf(from, count);
    const records = batch.copy(from, count);
    mark.begin(batch.offsets, batch.timestamps, from, count);
    const completion: OrderedCompletion = {
      done: (first, last) => onDone(partition, mark.done(first, last)),
      get isOurs() {
        return !mark.isClosed;
      },
      cut: (offsets, after) => mark.cut(offsets, after),
      whenMoved: (callback) => partition.whenMoved(callback),
    };
    const { topic, partition: id, incarnation } = partition;
    try {
      handler.offer({ topic, incarnation, partition: id, records, completion }, grant);
    } catch (error) {
      // Whoever took a part of it before it failed gives that back a second time, which is counted and harmless.
      grant.release();
      throw error;
    }
    this.resolve(visit, from + count);
    visit.waitingSinceMs = undefined;
    partition.waitingBytes -= bytes;
    counters.slices += 1;
    counters.records += count;
    counters.bytes += bytes;
  }

  /** Moves the client's position behind the record before index `to`; at the end of the batch, behind its markers too. */
  private resolve({ payload, batch, partition, mark }: Visit, to: number): void {
    const offset = batch.offset(to - 1);
    payload.resolveOffset(offset);
    const last = to === batch.length ? payload.batch.lastOffset() : offset;
    partition.position = mark.absolute(mark.parse(last) + 1);
  }

  private isLive({ payload, partition, mark, epoch }: Visit): boolean {
    const { assignment, pauses } = this.options;
    return (
      this.isOpen &&
      assignment.epoch === epoch &&
      partition.mark === mark &&
      !mark.isClosed &&
      payload.isRunning() &&
      !payload.isStale() &&
      !pauses.isPaused(partition.lane)
    );
  }

  /** Until woken, at most a slice. */
  private wait(subscribe: (wake: () => void) => void, timeoutMs = Infinity): Promise<void> {
    const { clock, creditWaitSliceMs } = this.options;
    return new Promise((resolve) => {
      const timer = clock.setTimer(Math.min(timeoutMs, creditWaitSliceMs), resolve);
      subscribe(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
