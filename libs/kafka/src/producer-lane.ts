import type { Clock, Ticket, Timer } from '#libs/flow-control';
import type { Entry } from './delivery.js';
import type { Outgoing, SendFailure, SendOutcome } from './kafka-sink.js';
import { LaneFifo } from './lane-fifo.js';
import { sendFailureOf } from './send-failure.js';

/** What a lane does. `waiting`: for leave to send. `late`: its send has outlived the acknowledgment timeout. */
export type LaneState =
  'idle' | 'lingering' | 'waiting' | 'sending' | 'late' | 'backing-off' | 'closed';

/** A send that failed for all its records. */
export interface FailedSend {
  readonly failure: SendFailure;
  readonly records: readonly Outgoing[];
  /** Failed sends of these records, this one included. */
  readonly failedSends: number;
}

export interface LaneOptions {
  /** A send is due when this many bytes wait … */
  readonly batchBytes: number;
  /** … or this long after the first of them came. */
  readonly lingerMs: number;
  /** What waits when it is due goes together: at most this many records … */
  readonly maxRecordsPerSend: number;
  /** … and bytes, never less than `batchBytes` (a larger record travels alone). */
  readonly maxBytesPerSend: number;
  readonly ackTimeoutMs: number;
  readonly clock: Clock;
}

/** What a lane needs of the queue around it. */
export interface LaneHost {
  isDraining(): boolean;
  /** False when the topic has lost this partition. */
  exists(partition: number): boolean;
  /** Leave to send now; undefined: `proceed()` comes when it may ask again. */
  enter(lane: ProducerLane): Ticket | undefined;
  /** The send has settled; the leave is given back. */
  left(): void;
  send(partition: number, records: readonly Outgoing[], failedSends: number): Promise<bigint>;
  /** A batch failed: ms until it goes again, or undefined, and its records fail with this failure. */
  failed(failed: FailedSend): number | undefined;
  settle(entry: Entry, outcome: SendOutcome): void;
  /** A batch was taken from the records that wait. */
  batchComplete(partition: number): void;
  /** Takes records back whose partition is gone. */
  replace(entries: readonly Entry[]): void;
  /** An answer came after the acknowledgment timeout. */
  answeredLate(): void;
}

interface Batch {
  readonly entries: readonly Entry[];
  failedSends: number;
}

interface Flight {
  readonly batch: Batch;
  readonly ticket: Ticket;
  readonly timeout: Timer;
  isLate: boolean;
}

/**
 * The records of one partition on their way to it.
 *
 * Flow: `push` → FIFO → batch → one `send` → outcomes. A batch that failed stays at the head and goes again, whole;
 * one that a record spoils is halved until that record is alone, and only it fails.
 *
 * Q1 one send is out at most, also after its acknowledgment timeout: nothing of the partition overtakes it.
 * Q2 every entry is settled exactly once. A late answer ends records that still wait at the head; for records that were
 *    given up meanwhile it is only counted.
 * Q3 a batch holds at most `maxRecordsPerSend` records, and at most `maxBytesPerSend` unless it is a single record.
 * Q4 a broker that takes less in a send than `maxBytesPerSend` is asked for less from then on, down to `batchBytes`.
 */
export class ProducerLane {
  /** Of all records inside, those that are out included. */
  bytes = 0;
  private laneState: LaneState = 'idle';
  private readonly fifo = new LaneFifo();
  /** The batch at the head, or what halving has left of it. */
  private parts: Batch[] = [];
  private timer: Timer | undefined;
  private backoffUntilMs = 0;
  /** Q4 */
  private maxBytes: number;
  /** Of the batch that is being halved; 0 when none is, NaN when one of its records is to blame. */
  private halvedBytes = 0;

  constructor(
    readonly partition: number,
    private readonly options: LaneOptions,
    private readonly host: LaneHost,
  ) {
    this.maxBytes = Math.max(options.batchBytes, options.maxBytesPerSend);
  }

  get state(): LaneState {
    return this.laneState;
  }

  /** The records that wait fill a batch. */
  get isBatchFull(): boolean {
    const { batchBytes, maxRecordsPerSend } = this.options;
    return this.fifo.length >= maxRecordsPerSend || this.fifo.bytes >= batchBytes;
  }

  /** Appends a record; `pump()` follows after the last one. */
  push(entry: Entry): void {
    this.fifo.push(entry);
    this.bytes += entry.sizeBytes;
  }

  /** Sends when a batch is due and nothing is out. */
  pump(): void {
    if (this.laneState !== 'idle' && this.laneState !== 'lingering') return;
    if (this.parts.length === 0 && this.fifo.length === 0) return;
    if (!this.host.exists(this.partition)) {
      this.rest('idle');
      this.host.replace(this.takeAll());
      return;
    }
    if (this.parts.length === 0 && !this.cutWhenDue()) return;
    const ticket = this.host.enter(this);
    if (ticket === undefined) this.rest('waiting');
    else this.send(ticket);
  }

  /** Ends a wait for leave. */
  proceed(): void {
    if (this.laneState !== 'waiting') return;
    this.laneState = 'idle';
    this.pump();
  }

  /** Fails everything inside; the answer of a send that is out changes nothing any more. */
  close(failure: SendFailure): void {
    this.rest('closed');
    for (const entry of this.takeAll()) this.host.settle(entry, { kind: 'failed', failure });
  }

  private rest(state: LaneState): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.laneState = state;
  }

  private takeAll(): Entry[] {
    const entries = this.parts.flatMap((part) => part.entries).concat(this.fifo.takeAll());
    this.parts = [];
    this.bytes = 0;
    return entries;
  }

  /** Moves the next batch to the head of the lane, or lingers. */
  private cutWhenDue(): boolean {
    const lingerMs = this.lingerLeftMs();
    if (lingerMs > 0) {
      if (this.laneState !== 'lingering') this.wait('lingering', lingerMs);
      return false;
    }
    this.rest('idle');
    const entries = this.fifo.cut(this.options.maxRecordsPerSend, this.maxBytes);
    this.parts.push({ entries, failedSends: 0 });
    this.host.batchComplete(this.partition);
    return true;
  }

  private lingerLeftMs(): number {
    const { lingerMs, clock } = this.options;
    if (this.isBatchFull || this.host.isDraining()) return 0;
    return (this.fifo.firstTakenAtMs ?? 0) + lingerMs - clock.now();
  }

  private wait(state: 'lingering' | 'backing-off', delayMs: number): void {
    this.rest(state);
    this.timer = this.options.clock.setTimer(delayMs, () => {
      this.rest('idle');
      this.pump();
    });
  }

  private send(ticket: Ticket): void {
    const batch = this.parts[0]!;
    const records = batch.entries.map((entry) => entry.record);
    const { clock, ackTimeoutMs } = this.options;
    const timeout = clock.setTimer(ackTimeoutMs, () => this.expire(flight));
    const flight: Flight = { batch, ticket, timeout, isLate: false };
    this.rest('sending');
    this.host.send(this.partition, records, batch.failedSends).then(
      (baseOffset) => this.succeeded(flight, baseOffset),
      (error: unknown) => this.failed(flight, sendFailureOf(error)),
    );
  }

  private expire(flight: Flight): void {
    if (this.laneState !== 'sending') return;
    this.laneState = 'late';
    flight.isLate = true;
    flight.ticket.failure();
    const message = `Kafka: no answer within ${this.options.ackTimeoutMs} ms.`;
    this.apply(flight.batch, { kind: 'retryable', message, isTimeout: true });
  }

  private succeeded(flight: Flight, baseOffset: bigint): void {
    const { batch, ticket } = flight;
    ticket.success();
    if (this.parts[0] === batch) {
      const { partition } = this;
      this.end(batch, (index) => {
        return { kind: 'acknowledged', partition, offset: baseOffset + BigInt(index) };
      });
    }
    this.land(flight);
  }

  private failed(flight: Flight, failure: SendFailure): void {
    settleTicket(flight.ticket, failure);
    // A late failure was charged when it became late.
    if (!flight.isLate && this.parts[0] === flight.batch) this.apply(flight.batch, failure);
    this.land(flight);
  }

  private land(flight: Flight): void {
    flight.timeout.cancel();
    if (flight.isLate) this.host.answeredLate();
    if (this.laneState !== 'closed') this.laneState = 'idle';
    // Lanes that wait for leave come before this one's next batch.
    this.host.left();
    this.resume();
  }

  private resume(): void {
    if (this.laneState !== 'idle') return;
    const delayMs = this.parts.length === 0 ? 0 : this.backoffUntilMs - this.options.clock.now();
    if (delayMs > 0) this.wait('backing-off', delayMs);
    else this.pump();
  }

  private apply(batch: Batch, failure: SendFailure): void {
    if (failure.kind === 'final' && batch.entries.length > 1) {
      this.halve(batch);
      return;
    }
    batch.failedSends += 1;
    const { failedSends } = batch;
    const records = batch.entries.map((entry) => entry.record);
    const delayMs = this.host.failed({ failure, records, failedSends });
    if (failure.kind === 'final') this.halvedBytes = NaN;
    if (delayMs === undefined || failure.kind === 'final')
      this.end(batch, () => ({ kind: 'failed', failure }));
    else this.backoffUntilMs = this.options.clock.now() + delayMs;
  }

  private halve(batch: Batch): void {
    const { entries, failedSends } = batch;
    if (this.halvedBytes === 0)
      this.halvedBytes = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const middle = entries.length >>> 1;
    const halves = [entries.slice(0, middle), entries.slice(middle)];
    this.parts.splice(0, 1, ...halves.map((half) => ({ entries: half, failedSends })));
    this.backoffUntilMs = 0;
  }

  /** A batch that went in halves, without a record to blame, was too large as a whole. */
  private learnSize(): void {
    if (this.halvedBytes > 0) {
      this.maxBytes = Math.max(this.options.batchBytes, this.halvedBytes >>> 1);
    }
    this.halvedBytes = 0;
  }

  private end(batch: Batch, outcomeOf: (index: number) => SendOutcome): void {
    this.parts.shift();
    this.backoffUntilMs = 0;
    if (this.parts.length === 0) this.learnSize();
    batch.entries.forEach((entry, index) => {
      this.bytes -= entry.sizeBytes;
      this.host.settle(entry, outcomeOf(index));
    });
  }
}

function settleTicket(ticket: Ticket, failure: SendFailure): void {
  if (failure.kind === 'final' || failure.kind === 'busy') ticket.neutral();
  else ticket.failure();
}
