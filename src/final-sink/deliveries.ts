import type { StageMeter } from '#libs/back-pressure';
import type { Lot, Timer } from '#libs/flow-control';
import type { Failure } from '../pipeline/failure.js';
import type { Carried } from '../pipeline/give-back.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { Attempts, RetryPolicy } from '../pipeline/retry-policy.js';
import type { StageRuntime } from '../pipeline/stage-runtime.js';
import { DeliveryLine } from './delivery-line.js';
import type { FinalSinkOptions } from './final-sink.options.js';
import {
  PendingAcknowledgments,
  type PendingAcknowledgmentsSnapshot,
  type PendingEntry,
} from './pending-acknowledgments.js';
import type { DeliveryOutcome, Sink } from './sinks/sink.js';

interface Item extends Carried {
  attempts: Attempts | undefined;
  /** The call it was last sent with. */
  abort: AbortController | undefined;
}

/** A record that the destination has. */
export interface Delivered extends Carried {
  readonly externalId?: string;
}

export interface DeliveriesOptions {
  readonly runtime: StageRuntime;
  readonly options: FinalSinkOptions;
  readonly sink: Sink;
  readonly retries: RetryPolicy;
  readonly meter: StageMeter;
  /** Nothing is sent while this is true. */
  readonly isBlocked: () => boolean;
  /** The destination has these records; enters their end and gives their credits back. */
  readonly onDelivered: (delivered: readonly Delivered[]) => void;
  /** No further delivery; resolves when the record has its end. */
  readonly onGivenUp: (carried: Carried, reason: string) => Promise<void>;
}

/**
 * Deliveries to the sink, from the line to the answer.
 *
 * ```
 * take ─▶ line (order per key) ─▶ pending entry ─▶ sink ─▶ acknowledged ─▶ delivered
 *           ▲                                        └─ failed or no answer ─▶ back-off ─▶ line, or given up
 * ```
 * DV1 a pending entry exists before its record is sent, and holds its place until answer or timeout.
 * DV2 an ordered sink gets one call after the other, and none while a record waits out an outage.
 * DV3 a record that is to be sent again, or is being given up, holds back the later ones of its key.
 * DV4 a sink that ends records itself decides by its answer alone: its timeout is counted, and nothing follows from it.
 * DV5 each record taken is told once, by `onDelivered` or `onGivenUp`.
 */
export class Deliveries {
  private readonly line: DeliveryLine<Item>;
  private readonly pending: PendingAcknowledgments<Item>;
  private readonly backOffs = new Set<Timer>();
  private readonly stopping = new AbortController();
  private calls = 0;
  private outages = 0;
  private insideNow = 0;
  private state: 'running' | 'stopped' = 'running';

  constructor(private readonly parts: DeliveriesOptions) {
    const { options, runtime, sink } = parts;
    this.line = new DeliveryLine(sink.isOrdered);
    this.pending = new PendingAcknowledgments({
      limit: options.maxPendingAcknowledgments,
      timeoutMs: options.acknowledgmentTimeoutMs,
      clock: runtime.clock,
      onTimeout: (entry) => this.timedOut(entry),
    });
  }

  /** Records taken and not told of yet. */
  get inside(): number {
    return this.insideNow;
  }

  get isDelivering(): boolean {
    return this.calls > 0;
  }

  snapshot(): PendingAcknowledgmentsSnapshot {
    return this.pending.snapshot();
  }

  take(records: readonly PipelineRecord[], lot: Lot): void {
    this.insideNow += records.length;
    this.line.push(
      records.map((record) => ({ record, lot, attempts: undefined, abort: undefined })),
    );
    this.pump();
  }

  /** Sends what may be sent. To be called when `isBlocked` has become false. */
  pump(): void {
    while (this.mayCall()) {
      const room = Math.min(this.parts.sink.maxBatchRecords, this.pending.free);
      const batch = room > 0 ? this.line.next(room) : [];
      if (batch.length === 0) break;
      void this.deliver(batch);
    }
    this.report();
  }

  /** Ends calls and all waiting; the records stay in the journal. */
  stop(): void {
    this.state = 'stopped';
    this.pending.clear();
    for (const timer of this.backOffs) timer.cancel();
    this.backOffs.clear();
    this.stopping.abort(new Error('The pipeline stops.'));
  }

  private mayCall(): boolean {
    if (this.state === 'stopped' || this.parts.isBlocked()) return false;
    return !this.parts.sink.isOrdered || (this.calls === 0 && this.outages === 0);
  }

  private async deliver(batch: readonly Item[]): Promise<void> {
    const { sink, retries, options } = this.parts;
    const abort = new AbortController();
    const entries = batch.map((item) => {
      item.attempts ??= retries.begin(item.record);
      item.abort = abort;
      return this.pending.open(item)!;
    });
    this.calls += 1;
    const records = batch.map(({ record }) => record);
    const signal = AbortSignal.any([abort.signal, this.stopping.signal]);
    const answer = answerOf(sink, records, signal);
    if (!options.requireAcknowledgment && !sink.endsRecords) {
      this.answered(
        entries,
        records.map(() => ({ kind: 'acknowledged' })),
      );
      this.countLost(await answer);
    } else {
      this.answered(entries, await answer);
    }
    this.calls -= 1;
    this.pump();
  }

  private answered(
    entries: readonly PendingEntry<Item>[],
    outcomes: readonly DeliveryOutcome[],
  ): void {
    const delivered: Delivered[] = [];
    const failed: { item: Item; failure: Failure }[] = [];
    entries.forEach((entry, i) => {
      const outcome = outcomes[i] ?? NO_OUTCOME;
      const isFirst = this.pending.settle(
        entry,
        outcome.kind === 'acknowledged' ? 'acknowledged' : 'rejected',
      );
      if (!isFirst && !this.parts.sink.endsRecords) return;
      const { item } = entry;
      if (outcome.kind === 'failed') failed.push({ item, failure: outcome.failure });
      else delivered.push(deliveredOf(item, outcome.externalId));
    });
    if (delivered.length > 0) this.delivered(entries, delivered);
    if (failed.length > 0 && this.state === 'running') this.failed(failed);
    this.report();
  }

  private delivered(entries: readonly PendingEntry<Item>[], delivered: readonly Delivered[]): void {
    const { retries, onDelivered } = this.parts;
    const records = new Set(delivered.map(({ record }) => record));
    for (const { item } of entries) {
      if (!records.has(item.record)) continue;
      retries.succeeded(item.attempts!);
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
      if (failure.kind !== 'final' && this.line.isBehindOther(item)) {
        // It failed because an earlier one of its key did; that is no attempt of its own.
        this.line.putAside(item);
        continue;
      }
      this.line.hold(item);
      this.parts.meter.failed(1, failure.isTimeout === true ? 'timeout' : undefined);
      const consequence = this.parts.retries.failed(item.attempts!, failure);
      if (consequence.kind === 'dead-letter') {
        void this.giveUp(item, consequence.reason);
        continue;
      }
      again.push(item);
      delayMs = Math.max(delayMs, consequence.delayMs);
      isOutage ||= consequence.isHeld;
    }
    if (again.length > 0) this.backOff(again, delayMs, isOutage);
  }

  private backOff(items: readonly Item[], delayMs: number, isOutage: boolean): void {
    if (isOutage) this.outages += 1;
    const timer = this.parts.runtime.clock.setTimer(delayMs, () => {
      this.backOffs.delete(timer);
      if (isOutage) this.outages -= 1;
      this.line.retry(items);
      this.pump();
    });
    this.backOffs.add(timer);
  }

  private timedOut({ item }: PendingEntry<Item>): void {
    const { options, sink, meter } = this.parts;
    const { acknowledgmentTimeoutMs } = options;
    const message = `No acknowledgment within ${acknowledgmentTimeoutMs} ms.`;
    item.abort?.abort(new DOMException(message, 'TimeoutError'));
    if (sink.endsRecords) {
      meter.failed(1, 'timeout');
      return;
    }
    const failure: Failure = { kind: 'retryable', message, isTimeout: true };
    this.failed([{ item, failure }]);
    this.pump();
  }

  private async giveUp(item: Item, reason: string): Promise<void> {
    await this.parts.onGivenUp(item, reason);
    this.insideNow -= 1;
    this.line.release(item);
    this.pump();
  }

  /** At most once: the record has its end already, so a failure can only be counted. */
  private countLost(outcomes: readonly DeliveryOutcome[]): void {
    const lost = outcomes.filter(({ kind }) => kind === 'failed').length;
    if (lost > 0) this.parts.meter.failed(lost);
  }

  private report(): void {
    const { meter, options } = this.parts;
    meter.inService(this.pending.pending, options.maxPendingAcknowledgments);
    meter.queue(this.insideNow - this.pending.pending);
  }
}

const NO_OUTCOME: DeliveryOutcome = {
  kind: 'failed',
  failure: { kind: 'retryable', message: 'The sink gave no outcome.' },
};

/** A sink that breaks its promise never to reject must not end the process. */
async function answerOf(
  sink: Sink,
  records: readonly PipelineRecord[],
  signal: AbortSignal,
): Promise<readonly DeliveryOutcome[]> {
  try {
    return await sink.deliver(records, { signal });
  } catch (error) {
    const message = `The sink failed: ${String(error)}`;
    return records.map(() => ({ kind: 'failed', failure: { kind: 'retryable', message } }));
  }
}

function deliveredOf({ record, lot }: Item, externalId: string | undefined): Delivered {
  return externalId === undefined ? { record, lot } : { record, lot, externalId };
}
