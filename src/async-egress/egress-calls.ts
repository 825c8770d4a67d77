import type { StageMeter } from '#libs/back-pressure';
import { BoundedSemaphore, KeyedSequencer, type Lot, type Permit } from '#libs/flow-control';
import { type Deadline, Deadlines } from '../pipeline/deadlines.js';
import type { DestinationGuard } from '../pipeline/destination/destination-guard.js';
import { BackOffs } from '../pipeline/destination/back-offs.js';
import { EXPIRED, Expiry, takeDue } from '../pipeline/expiry.js';
import type { Failure } from '../pipeline/destination/failure.js';
import { failureOf, timeoutFailure } from '../pipeline/destination/failure-of.js';
import type { Carried } from '../pipeline/give-back.js';
import type { GuardedCall } from '../pipeline/destination/guarded-call.js';
import { payloadBytes } from '../pipeline/payload-bytes.js';
import type { PipelineRecord, RecordHeaders } from '../pipeline/record.js';
import { type Attempts, noAttempts } from '../pipeline/destination/retry-policy.js';
import type { StageRuntime } from '../pipeline/stage-runtime.js';
import { UnsafeNumberError } from '../pipeline/unsafe-number.error.js';
import { UnusableResultError } from '../pipeline/destination/unusable-result.error.js';
import type { AsyncEgressOptions } from './async-egress.options.js';
import type { Destination } from './destination.js';

type Item = Carried & Attempts;

interface Call {
  readonly item: Item;
  readonly permit: Permit;
  readonly leave: GuardedCall;
  readonly abort: AbortController;
  deadline: Deadline | undefined;
  state: 'running' | 'timed-out';
}

export interface EgressCallsOptions {
  readonly runtime: StageRuntime;
  readonly options: AsyncEgressOptions;
  readonly destination: Destination;
  readonly guard: DestinationGuard;
  readonly meter: StageMeter;
  /** No call is started while this is true. */
  readonly isBlocked: () => boolean;
  /** The call has succeeded; the record goes on, with its credit. */
  readonly onDone: (carried: Carried) => void;
  /** No further attempt; resolves when the record has its end. */
  readonly onGivenUp: (carried: Carried, reason: string) => Promise<void>;
}

export interface EgressCallsSnapshot {
  readonly inside: number;
  readonly running: number;
  /** Calls that have timed out and not ended yet. */
  readonly abandoned: number;
  readonly abandonedTotal: number;
  readonly waitingForRetry: number;
}

const NO_HEADERS: RecordHeaders = Object.freeze({});

/**
 * The running calls of AsyncEgress.
 *
 * ```
 * take ─▶ one record of a key at a time ─▶ ready ─▶ permit, leave of the guard ─▶ call ─▶ done
 *                                            ▲                                     └─ failed ─▶ back-off (no permit) ─▶ ready, or given up
 * ```
 * EC1 one record of a key is between its first attempt and its end here at a time; the next one follows in order.
 * EC2 at most `maxConcurrentOperations` permits are out; a record in its back-off holds none.
 * EC3 a call that ignores its signal loses its permit at the timeout and is abandoned until it ends; the guard lets no
 *     call start while as many are abandoned as may run, so at most twice the limit exist (DG3).
 * EC4 each record taken is told once, by `onDone` or `onGivenUp`.
 * EC5 while the guard lets no call start, records wait with their credits; they hold no permit.
 * EC6 a record whose deadline has passed is given up (`expired`) before a call starts: when its turn comes, or while it waits.
 * Bounded by the stage's credits: every item holds one.
 */
export class EgressCalls {
  private readonly permits: BoundedSemaphore;
  private readonly sequencer: KeyedSequencer<Item>;
  private readonly deadlines: Deadlines<Call>;
  private readonly ready: Item[] = [];
  private readonly running = new Set<Call>();
  private readonly backOffs: BackOffs<Item>;
  private readonly expiry: Expiry<Item>;
  private state: 'running' | 'stopped' = 'running';
  private most: number;
  private insideNow = 0;

  constructor(private readonly parts: EgressCallsOptions) {
    const { options, runtime } = parts;
    this.permits = new BoundedSemaphore({
      name: 'AsyncEgress calls',
      permits: options.maxConcurrentOperations,
      queueCapacity: 0,
      clock: runtime.clock,
    });
    this.most = options.bufferSize;
    this.sequencer = new KeyedSequencer({ capacity: this.most });
    this.deadlines = new Deadlines(runtime.clock, options.operationTimeoutMs, (call) =>
      this.timedOut(call),
    );
    this.backOffs = new BackOffs(runtime.clock);
    this.expiry = new Expiry(runtime.clock, (due) => this.expire(due));
    parts.guard.onOpen(() => this.pump());
  }

  get inside(): number {
    return this.insideNow;
  }

  snapshot(): EgressCallsSnapshot {
    const { abandoned, abandonedTotal } = this.parts.guard.snapshot();
    return {
      inside: this.insideNow,
      running: this.running.size,
      abandoned,
      abandonedTotal,
      waitingForRetry: this.backOffs.size,
    };
  }

  take(records: readonly PipelineRecord[], lot: Lot): void {
    for (const record of records) {
      const item: Item = { ...noAttempts(record), lot };
      const position = this.sequencer.offer(record.key, item);
      if (position === undefined) throw new Error('AsyncEgress holds more records than credits.');
      if (position === 'ready') this.ready.push(item);
      this.expiry.add(item);
    }
    this.insideNow += records.length;
    this.pump();
  }

  /** Starts what may start. To be called when `isBlocked` has become false. */
  pump(): void {
    const { isBlocked, guard } = this.parts;
    while (this.ready.length > 0 && this.state === 'running' && !isBlocked() && guard.mayCall()) {
      if (this.expiry.hasExpired(this.ready[0]!)) {
        void this.giveUp(this.ready.shift()!, EXPIRED);
        continue;
      }
      const permit = this.permits.tryAcquire();
      if (permit === undefined) break;
      const leave = guard.tryCall();
      if (leave === undefined) {
        permit.release();
        break;
      }
      this.start(this.ready.shift()!, permit, leave);
    }
    this.report();
  }

  /** Lets as many calls run, and takes as many records; what is beyond stays. */
  resize(maxConcurrentOperations: number, bufferSize: number): void {
    this.permits.resize({ permits: maxConcurrentOperations });
    this.most = Math.max(this.most, bufferSize);
    this.sequencer.resize(this.most);
    this.pump();
  }

  /** Ends running calls and all waiting; the records stay in the journal. */
  stop(): void {
    this.state = 'stopped';
    for (const call of this.running) call.abort.abort(new Error('The pipeline stops.'));
    this.backOffs.stop();
    this.expiry.stop();
    this.deadlines.clear();
    this.parts.guard.stop();
  }

  private start(item: Item, permit: Permit, leave: GuardedCall): void {
    const { guard } = this.parts;
    if (guard.begin(item)) guard.firstAttempts(1);
    const call: Call = {
      item,
      permit,
      leave,
      abort: new AbortController(),
      deadline: undefined,
      state: 'running',
    };
    call.deadline = this.deadlines.add(call);
    this.running.add(call);
    void this.run(call);
  }

  private async run(call: Call): Promise<void> {
    const { record } = call.item;
    try {
      const result = await this.parts.destination.call(record, {
        signal: call.abort.signal,
        attempt: record.attempts + 1,
        recordId: record.id,
        key: record.key,
        headers: record.headers ?? NO_HEADERS,
      });
      if (this.isLate(call)) return;
      replacePayload(record, result);
    } catch (error) {
      if (!this.isLate(call)) this.failed(call, failureOf(error));
      return;
    }
    this.succeeded(call);
  }

  /** Whether the attempt was over before the call was. */
  private isLate(call: Call): boolean {
    if (call.state === 'running') return this.state === 'stopped';
    this.parts.guard.reclaim();
    this.pump();
    return true;
  }

  private timedOut(call: Call): void {
    const { operationTimeoutMs } = this.parts.options;
    call.state = 'timed-out';
    this.parts.guard.abandon();
    call.abort.abort(
      new DOMException(`No answer within ${operationTimeoutMs} ms.`, 'TimeoutError'),
    );
    this.failed(call, timeoutFailure(operationTimeoutMs));
  }

  private succeeded(call: Call): void {
    const { item } = call;
    this.end(call);
    call.leave.succeeded();
    this.parts.guard.succeeded(item);
    this.parts.onDone(item);
    this.leave(item);
  }

  private failed(call: Call, failure: Failure): void {
    const { item } = call;
    const { meter, guard } = this.parts;
    this.end(call);
    call.leave.failed(failure);
    meter.failed(1, failure.isTimeout === true ? 'timeout' : undefined);
    const consequence = guard.failed(item, failure);
    if (consequence.kind === 'dead-letter') void this.giveUp(item, consequence.reason);
    else if (this.expiry.hasExpired(item)) void this.giveUp(item, EXPIRED);
    else this.backOff(item, consequence.delayMs);
    this.pump();
  }

  private end(call: Call): void {
    call.deadline?.cancel();
    call.permit.release();
    this.running.delete(call);
  }

  private backOff(item: Item, delayMs: number): void {
    this.backOffs.begin([item], delayMs, (left) => {
      this.ready.push(...left);
      this.pump();
    });
  }

  /** Gives up what waits of `due`; what runs has its attempt. */
  private expire(due: ReadonlySet<Item>): void {
    if (this.state === 'stopped') return;
    const waiting = [...takeDue(this.ready, due), ...this.backOffs.takeDue(due)];
    for (const item of waiting) void this.giveUp(item, EXPIRED);
    for (const item of this.sequencer.takeQueued((queued) => due.has(queued))) {
      void this.giveUpBehind(item);
    }
  }

  /** Of a record behind another one of its key: that one is not done. */
  private async giveUpBehind(item: Item): Promise<void> {
    await this.parts.onGivenUp(item, EXPIRED);
    this.insideNow -= 1;
    this.report();
  }

  private async giveUp(item: Item, reason: string): Promise<void> {
    await this.parts.onGivenUp(item, reason);
    this.leave(item);
  }

  /** The record's end, or its way on, is decided: the next one of its key is ready. */
  private leave(item: Item): void {
    this.insideNow -= 1;
    this.expiry.remove(item);
    const next = this.sequencer.done(item.record.key);
    if (next !== undefined) this.ready.push(next);
    this.pump();
  }

  private report(): void {
    const { meter } = this.parts;
    meter.inService(this.permits.inUse, this.permits.capacity);
    meter.queue(this.insideNow - this.permits.inUse);
  }
}

/** The same object, or nothing, keeps the payload and its bytes. */
function replacePayload(record: PipelineRecord, result: unknown): void {
  if (result === undefined || result === record.payload) return;
  if (record.unsafeNumber !== undefined) throw new UnsafeNumberError(record.unsafeNumber);
  let bytes: Buffer | undefined;
  try {
    bytes = payloadBytes(result);
  } catch (error) {
    throw new UnusableResultError('The result of egress is not JSON.', { cause: error });
  }
  if (bytes === undefined) throw new UnusableResultError('The result of egress is not JSON.');
  record.payload = result;
  record.body = bytes;
}
