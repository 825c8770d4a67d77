import type { Lot } from '#libs/flow-control';
import { BackOffs } from '../pipeline/destination/back-offs.js';
import { EXPIRED, Expiry } from '../pipeline/expiry.js';
import type { Failure } from '../pipeline/destination/failure.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { Consequence } from '../pipeline/destination/retry-policy.js';
import type { DeliveriesParts } from './deliveries-parts.js';
import { DeliveryCall } from './delivery-call.js';
import { type DeliveryItem as Item, itemOf } from './delivery-item.js';
import { DeliveryLine } from './delivery-line.js';
import {
  answerOf,
  countLost,
  itemsByRecord,
  NO_OUTCOME,
  settleLeave,
} from './delivery-outcomes.js';
import { LeaseGate } from './lease-gate.js';
import {
  PendingAcknowledgments,
  type PendingAcknowledgmentsSnapshot,
  type PendingEntry,
} from './pending-acknowledgments.js';
import { ACKNOWLEDGED, type DeliveryOutcome } from './sinks/sink.js';

/**
 * Deliveries to the sink, from the line to the answer.
 *
 * ```
 * take ─▶ line (order per key) ─▶ pending entry ─▶ sink ─▶ acknowledged ─▶ delivered
 *           ▲                                        └─ failed or no answer ─▶ back-off ─▶ line, or given up
 * ```
 * DV1 a pending entry exists before its records are sent, and holds their places until answer or timeout.
 * DV2 an ordered sink gets one call after the other, and none while a record waits out an outage; one that repeats gets
 *     them side by side, with no more records in them than may be pending.
 * DV3 a record that is to be sent again, or is being given up, holds back the later ones of its key.
 * DV4 a sink that ends records itself, or repeats, decides by its answer alone: its timeout is counted, and nothing
 *     follows from it.
 * DV5 each record taken is told once, by `onDelivered`, `onGivenUp` or `onLeft`.
 * DV6 a call needs leave of the destination's guard, but for a sink that decides alone: one that ends records itself waits
 *     with the ledger, one that repeats asks the same breaker for leave at each send.
 * DV7 nothing is sent while an operator has paused the sink; what is at the sink goes on.
 * DV8 a record whose deadline has passed is given up (`expired`) before a delivery starts: when its turn comes, or while it
 *     waits. What a sink holds that decides alone is in its hands.
 */
export class Deliveries {
  private readonly line: DeliveryLine<Item>;
  private readonly pending: PendingAcknowledgments<Item>;
  /** None for a sink that ends records itself: its transaction checks who owns them. */
  private readonly gate: LeaseGate<Item> | undefined;
  private readonly backOffs: BackOffs<Item>;
  private readonly expiry: Expiry<Item>;
  /** Not one signal for all: what listens to a signal that lives long is never let go. */
  private readonly running = new Set<DeliveryCall>();
  /** Records in calls, answered in time or not. */
  private atSink = 0;
  private outages = 0;
  private insideNow = 0;
  private state: 'running' | 'stopped' = 'running';
  private maxPending: number;

  constructor(private readonly parts: DeliveriesParts) {
    const { options, runtime, sink, lease } = parts;
    const { clock } = runtime;
    this.maxPending = options.maxPendingAcknowledgments;
    this.line = new DeliveryLine(sink.isOrdered);
    const onOpen = (items: readonly Item[]): void => {
      this.line.retry(items);
      this.pump();
    };
    const answerWithinMs = options.acknowledgmentTimeoutMs;
    this.gate = sink.endsRecords
      ? undefined
      : new LeaseGate({ lease, answerWithinMs, clock, onOpen });
    this.pending = new PendingAcknowledgments({
      limit: options.maxPendingAcknowledgments,
      timeoutMs: options.acknowledgmentTimeoutMs,
      clock,
      onTimeout: (entry) => this.timedOut(entry),
    });
    this.backOffs = new BackOffs(clock);
    this.expiry = new Expiry(clock, (due) => this.expire(due));
    parts.guard.onOpen(() => this.pump());
    runtime.pauses.onSink(sink.name, () => this.pump());
  }

  /** Records taken and not told of yet. */
  get inside(): number {
    return this.insideNow;
  }

  get isDelivering(): boolean {
    return this.running.size > 0 && this.parts.sink.isHeld !== true;
  }

  snapshot(): PendingAcknowledgmentsSnapshot {
    return this.pending.snapshot();
  }

  take(records: readonly PipelineRecord[], lot: Lot): void {
    this.insideNow += records.length;
    this.line.push(
      records.map((record) => {
        const item = itemOf({ record, lot });
        this.expiry.add(item);
        return item;
      }),
    );
    this.pump();
  }

  /** Sends what may be sent. To be called when `isBlocked` has become false. */
  pump(): void {
    while (this.mayCall()) {
      const { room } = this;
      const next = room > 0 ? this.line.next(room) : [];
      if (next.length === 0) break;
      const fresh = this.expiry.fresh(next, (item) => void this.giveUp(item, EXPIRED));
      const batch = this.gate?.pass(fresh) ?? fresh;
      if (batch.length > 0) void this.deliver(batch);
    }
    this.report();
  }

  /** Lets as many records be pending; what is beyond a smaller number stays pending until its answer. */
  resize(maxPendingAcknowledgments: number): void {
    this.maxPending = maxPendingAcknowledgments;
    this.pending.resize(maxPendingAcknowledgments);
    this.pump();
  }

  /** Ends calls and all waiting; the records stay in the journal. */
  stop(): void {
    this.state = 'stopped';
    this.pending.stop();
    this.gate?.stop();
    this.backOffs.stop();
    this.expiry.stop();
    const reason = new Error('The pipeline stops.');
    for (const call of this.running) call.abort(reason);
    this.parts.guard.stop();
  }

  private mayCall(): boolean {
    if (this.state === 'stopped' || this.parts.isBlocked()) return false;
    const { isOrdered, repeats, name } = this.parts.sink;
    if (this.parts.runtime.pauses.isSinkPaused(name)) return false;
    const isTurn = !isOrdered || repeats || (this.running.size === 0 && this.outages === 0);
    return isTurn && (this.decidesAlone || this.parts.guard.mayCall());
  }

  private get room(): number {
    const { sink } = this.parts;
    const free = this.maxPending - this.atSink;
    return Math.min(sink.maxBatchRecords, this.pending.free, free);
  }

  private get decidesAlone(): boolean {
    const { endsRecords, repeats } = this.parts.sink;
    return endsRecords || repeats;
  }

  private async deliver(batch: readonly Item[]): Promise<void> {
    const { sink, options } = this.parts;
    const call = this.begin(batch);
    const entry = this.pending.open(batch)!;
    this.running.add(call);
    this.atSink += batch.length;
    const records = batch.map(({ record }) => record);
    const answer = answerOf(sink, records, call);
    if (!options.requireAcknowledgment && !sink.endsRecords) {
      this.answered(
        entry,
        records.map(() => ACKNOWLEDGED),
      );
      const outcomes = await answer;
      settleLeave(call, outcomes);
      countLost(this.parts.meter, outcomes);
    } else {
      const outcomes = await answer;
      settleLeave(call, outcomes);
      this.answered(entry, outcomes);
    }
    this.running.delete(call);
    this.atSink -= batch.length;
    this.pump();
  }

  private begin(batch: readonly Item[]): DeliveryCall {
    const { guard } = this.parts;
    const leave = this.decidesAlone ? undefined : guard.tryCall();
    const find = itemsByRecord(batch);
    const call = new DeliveryCall(
      (record, failure) => this.again(find(record), failure),
      {
        giveUp: (record) => this.endEarly(find(record)),
        leave: (record) => this.leave(find(record)),
      },
      leave,
    );
    let firstAttempts = 0;
    for (const item of batch) {
      item.call = call;
      if (guard.begin(item)) firstAttempts += 1;
    }
    guard.firstAttempts(firstAttempts);
    return call;
  }

  private again(item: Item | undefined, failure: Failure): number | undefined {
    const { options, guard } = this.parts;
    // At most once: the record has its end already.
    const isOver = this.state === 'stopped' || !options.requireAcknowledgment;
    if (item === undefined || isOver) return undefined;
    this.countFailed(failure);
    const consequence = guard.failed(item, failure);
    item.givenUp = this.reasonToGiveUp(item, consequence);
    const mayNot = consequence.kind !== 'retry' || item.givenUp !== undefined;
    return mayNot ? undefined : consequence.delayMs;
  }

  private async endEarly(item: Item | undefined): Promise<boolean> {
    if (item === undefined || item.hasEnded || this.state === 'stopped') return false;
    item.hasEnded = true;
    await this.giveUp(item, item.givenUp ?? 'rejected');
    return item.record.terminal !== undefined;
  }

  private leave(item: Item | undefined): void {
    if (item === undefined || item.hasEnded) return;
    item.hasEnded = true;
    this.insideNow -= 1;
    this.expiry.remove(item);
    this.parts.onLeft(item);
  }

  private countFailed({ isTimeout }: Failure, count = 1): void {
    this.parts.meter.failed(count, isTimeout === true ? 'timeout' : undefined);
  }

  private answered(entry: PendingEntry<Item>, outcomes: readonly DeliveryOutcome[]): void {
    const delivered: Item[] = [];
    const failed: { item: Item; failure: Failure }[] = [];
    let acknowledged = 0;
    entry.items.forEach((item, i) => {
      const outcome = outcomes[i] ?? NO_OUTCOME;
      if (outcome.kind === 'acknowledged') acknowledged += 1;
      if (item.hasEnded) return;
      if (outcome.kind === 'failed') failed.push({ item, failure: outcome.failure });
      else {
        item.externalId = outcome.externalId;
        delivered.push(item);
      }
    });
    const isFirst = this.pending.settle(entry, acknowledged);
    if (isFirst || this.decidesAlone) {
      if (delivered.length > 0) this.delivered(delivered);
      if (failed.length > 0 && this.state === 'running') this.failed(failed);
    }
    this.report();
  }

  private delivered(delivered: readonly Item[]): void {
    const { guard, onDelivered } = this.parts;
    for (const item of delivered) {
      guard.succeeded(item);
      this.expiry.remove(item);
      this.line.release(item);
    }
    this.insideNow -= delivered.length;
    onDelivered(delivered);
  }

  /** One back-off for all records that failed together, so that they come back in their order. */
  private failed(failures: readonly { item: Item; failure: Failure }[]): void {
    const again: Item[] = [];
    let delayMs = 0;
    let isOutage = false;
    for (const { item, failure } of failures) {
      if (item.givenUp !== undefined) {
        this.line.hold(item);
        void this.giveUp(item, item.givenUp);
        continue;
      }
      if (failure.kind !== 'final' && this.line.isBehindOther(item)) {
        // It failed because an earlier one of its key did; that is no attempt of its own.
        this.line.putAside(item);
        continue;
      }
      this.line.hold(item);
      this.countFailed(failure);
      const consequence = this.parts.guard.failed(item, failure);
      const reason = this.reasonToGiveUp(item, consequence);
      if (consequence.kind === 'dead-letter' || reason !== undefined) {
        void this.giveUp(item, reason ?? EXPIRED);
        continue;
      }
      again.push(item);
      delayMs = Math.max(delayMs, consequence.delayMs);
      isOutage ||= consequence.isHeld;
    }
    if (again.length > 0) this.backOff(again, delayMs, isOutage);
  }

  private reasonToGiveUp(item: Item, consequence: Consequence): string | undefined {
    if (consequence.kind === 'dead-letter') return consequence.reason;
    return this.expiry.hasExpired(item) ? EXPIRED : undefined;
  }

  /** Gives up what waits of `due`; what is at the sink has its attempt. */
  private expire(due: ReadonlySet<Item>): void {
    if (this.state === 'stopped') return;
    const waiting = [...this.line.takeDue(due), ...this.backOffs.takeDue(due)];
    for (const item of waiting) void this.giveUp(item, EXPIRED);
  }

  private backOff(items: readonly Item[], delayMs: number, isOutage: boolean): void {
    if (isOutage) this.outages += 1;
    this.backOffs.begin(items, delayMs, (left) => {
      if (isOutage) this.outages -= 1;
      this.line.retry(left);
      this.pump();
    });
  }

  private timedOut({ items }: PendingEntry<Item>): void {
    const message = `No acknowledgment within ${this.parts.options.acknowledgmentTimeoutMs} ms.`;
    const failure: Failure = { kind: 'retryable', message, isTimeout: true };
    if (this.decidesAlone) {
      this.countFailed(failure, items.length);
      return;
    }
    const [first] = items;
    first?.call?.leave?.failed(failure);
    first?.call?.abort(new DOMException(message, 'TimeoutError'));
    this.failed(items.map((item) => ({ item, failure })));
    this.pump();
  }

  private async giveUp(item: Item, reason: string): Promise<void> {
    await this.parts.onGivenUp(item, reason);
    this.insideNow -= 1;
    this.expiry.remove(item);
    this.line.release(item);
    this.pump();
  }

  private report(): void {
    const { meter } = this.parts;
    meter.inService(this.pending.pending, this.maxPending);
    meter.queue(this.insideNow - this.pending.pending);
  }
}
