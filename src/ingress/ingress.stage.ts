import { Inject, Injectable } from '@nestjs/common';
import type { StageMeter } from '#libs/back-pressure';
import type { Lot, Permit } from '#libs/flow-control';
import { IdempotencyKeyReusedError } from '../ledger/errors/idempotency-key-reused.error.js';
import { Journal, type Replay } from '../ledger/journal.port.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { allOf } from '../pipeline/all-of.js';
import { drain } from '../pipeline/drain.js';
import { HandOver } from '../pipeline/hand-over.js';
import { bytesOf, refuse } from '../pipeline/pass-on.js';
import type { PipelineRecord, Verdict } from '../pipeline/record.js';
import type { Slice, Stage } from '../pipeline/stage.js';
import { Settlement } from '../pipeline/settlement.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { IngressBuffer } from './ingress-buffer.js';
import { INGRESS_OPTIONS, type IngressOptions } from './ingress.options.js';
import { JournalBacklog } from './journal-backlog.js';
import { Processing } from './processing.js';
import { SourceEndings } from './source-endings.js';

/**
 * IngressProcessing: validates, preprocesses and accepts durably.
 *
 * ```
 * slice ─▶ place in the buffer ─▶ schema, preprocess ─▶ journal ─▶ accepted ─▶ hand-over ─▶ AsyncEgress
 *                                        └─ of Kafka records: straight to accepted, or their end here
 * ```
 * IP1 a record holds a place in the buffer and a credit from its validation until AsyncEgress has it; both come back
 *     exactly once, whatever becomes of it.
 * IP2 records are journalled and handed over in the order in which they came.
 * IP3 nothing is refused after the journal has it. A record whose idempotency key has an earlier one is not in it, and
 *     goes no further.
 * IP4 Kafka's records need no journal, as the broker has them: one that can't go on ends here, a dead letter or discarded.
 */
@Injectable()
export class IngressStage implements Stage {
  readonly id = 'IngressProcessing';
  private readonly meter: StageMeter;
  private readonly buffer: IngressBuffer;
  private readonly processing: Processing;
  private readonly backlog: JournalBacklog;
  private readonly endings: SourceEndings;
  private handOver: HandOver | undefined;

  constructor(
    private readonly runtime: StageRuntime,
    @Inject(INGRESS_OPTIONS) private readonly options: IngressOptions,
    @Inject(PIPELINE_DEFINITION) definition: AnyPipelineDefinition,
    private readonly journal: Journal,
    private readonly settlement: Settlement,
  ) {
    const { controller, clock } = runtime;
    this.meter = controller.meter(this.id);
    this.processing = new Processing(options, definition);
    this.backlog = new JournalBacklog(journal, controller, settlement.inFlight);
    this.endings = new SourceEndings(settlement, clock);
    this.buffer = new IngressBuffer({
      capacity: options.maxBufferSize,
      maxSlices: options.bufferSize,
      clock,
      onLevel: (inside) => this.meter.queue(inside),
    });
  }

  /** Records inside the buffer. */
  get inside(): number {
    return this.buffer.inside;
  }

  connect(next: Stage): void {
    const { controller, clock } = this.runtime;
    this.handOver = new HandOver({
      next,
      controller,
      meter: this.meter,
      clock,
      onLeft: (count) => this.buffer.leave(count),
    });
  }

  start(): void {
    this.meter.queueCapacity(this.options.maxBufferSize);
    this.runtime.limits.watch(this.id, ({ bufferSize, maxBufferSize }) => {
      const capacity = maxBufferSize ?? this.options.maxBufferSize;
      this.meter.queueCapacity(capacity);
      this.buffer.resize(capacity, bufferSize);
    });
    this.journal.onBacklog(() => this.carryOn());
    this.carryOn();
  }

  take(slice: Slice, lot: Lot): Promise<void> {
    const { records } = slice;
    for (const record of records) record.stage = this.id;
    const turn = this.buffer.tryTurn();
    const entered = turn === undefined ? 0 : this.buffer.enter(records.length);
    if (entered === records.length) {
      const all = this.process(records, lot);
      turn?.release();
      return all;
    }
    const processed = entered > 0 ? [this.process(records.slice(0, entered), lot)] : [];
    const waited = this.waitForRoom({ slice, lot, entered, processed }, turn);
    return waited.then(() => allOf(processed));
  }

  drain(deadlineMs: number): Promise<void> {
    const { clock } = this.runtime;
    return drain({ clock, deadlineMs, inside: () => this.inside });
  }

  stop(): void {
    this.backlog.stop();
    this.handOver?.stop();
  }

  /** Queues what the journal holds beyond memory, before every newer record. */
  private carryOn(): void {
    if (this.journal.backlog().length === 0) return;
    this.backlog.prepare();
    this.connected().queueBacklog(this.backlog);
  }

  private async waitForRoom(entering: Entering, freeTurn: Permit | undefined): Promise<void> {
    const { slice, lot } = entering;
    const { records, signal } = slice;
    const dueMs = this.dueMs(slice);
    const wait = (): { signal?: AbortSignal; timeoutMs: number } => ({
      ...(signal === undefined ? {} : { signal }),
      timeoutMs: dueMs - this.runtime.clock.now(),
    });
    // No turn in time, caller gone or line full: whichever it is, the slice is refused below.
    const turn = freeTurn ?? (await this.buffer.turn(wait()).catch(() => undefined));
    while (turn !== undefined && entering.entered < records.length) {
      if (!(await this.buffer.room(wait()))) break;
      const from = entering.entered;
      entering.entered += this.buffer.enter(records.length - from);
      entering.processed.push(this.process(records.slice(from, entering.entered), lot));
    }
    turn?.release();
    refuse(records.slice(entering.entered), lot, this.refusal());
  }

  /** What its source holds waits as long as it takes. */
  private dueMs({ admitByMs }: Slice): number {
    if (admitByMs === Infinity) return Infinity;
    return Math.min(admitByMs, this.runtime.clock.now() + this.options.bufferTimeoutMs);
  }

  private refusal(): Error {
    return this.runtime.controller.refusal(this.id, 'queue');
  }

  /** Decides about records that are in the buffer. Synchronous up to the journal, so that order holds. */
  private process(records: readonly PipelineRecord[], lot: Lot): Promise<void> {
    const accepted: PipelineRecord[] = [];
    const discarded: PipelineRecord[] = [];
    const rejected: PipelineRecord[] = [];
    for (const record of records) {
      const verdict = this.processing.run(record);
      if (verdict.kind === 'accepted') {
        accepted.push(record);
        continue;
      }
      record.verdict = verdict;
      (verdict.kind === 'discarded' ? discarded : rejected).push(record);
    }
    if (records[0]?.source === 'kafka') {
      this.carryOnOrEnd({ accepted, discarded, rejected }, lot);
      return allOf([]);
    }
    if (rejected.length > 0) {
      this.meter.failed(rejected.length);
      this.leave(rejected, lot);
    }
    const answers: Promise<void>[] = [];
    if (accepted.length > 0) answers.push(this.accept(accepted, lot));
    if (discarded.length > 0) answers.push(this.discard(discarded, lot));
    return allOf(answers);
  }

  /** Of Kafka records: those that go no further keep their place and credit until the books hold their end. */
  private carryOnOrEnd({ accepted, discarded, rejected }: Processed, lot: Lot): void {
    if (rejected.length > 0) {
      this.meter.failed(rejected.length);
      for (const record of rejected) {
        void this.endings.reject(record).finally(() => this.leave([record], lot));
      }
    }
    if (discarded.length > 0) {
      const takenMs = lot.grantedAtMs;
      void this.endings.discard(discarded).finally(() => {
        this.meter.completed(discarded.length, this.runtime.clock.now() - takenMs);
        this.leave(discarded, lot);
      });
    }
    if (accepted.length === 0) return;
    for (const record of accepted) record.verdict = ACCEPTED;
    this.connected().push(accepted, lot);
  }

  private async accept(offered: readonly PipelineRecord[], lot: Lot): Promise<void> {
    let records = offered;
    try {
      const replays = await this.journal.append(offered);
      if (replays.length > 0) records = this.withoutReplays(offered, replays, lot);
    } catch (error) {
      this.refuseAll(offered, lot, error);
      return;
    }
    if (records.length === 0) return;
    const acceptedAtMs = this.runtime.clock.wallNow();
    for (const record of records) {
      record.verdict = { kind: 'accepted' };
      record.acceptedAtMs = acceptedAtMs;
    }
    this.settlement.inFlight.add(records);
    this.connected().push(records, lot);
  }

  /** Gives replays their verdicts, and their places and credits back; the others were kept. */
  private withoutReplays(
    records: readonly PipelineRecord[],
    replays: readonly Replay[],
    lot: Lot,
  ): readonly PipelineRecord[] {
    const replayed = new Set<PipelineRecord>();
    for (const { record, earlierId, isSame } of replays) {
      record.verdict = isSame
        ? { kind: 'replayed', earlierId }
        : { kind: 'refused', error: new IdempotencyKeyReusedError() };
      replayed.add(record);
    }
    this.meter.completed(replayed.size, this.runtime.clock.now() - lot.grantedAtMs);
    this.leave([...replayed], lot);
    return records.filter((record) => !replayed.has(record));
  }

  private async discard(records: readonly PipelineRecord[], lot: Lot): Promise<void> {
    const { clock } = this.runtime;
    try {
      await this.journal.discard(records);
    } catch (error) {
      this.refuseAll(records, lot, error);
      return;
    }
    this.settlement.inFlight.discard(records);
    this.meter.completed(records.length, clock.now() - lot.grantedAtMs);
    this.leave(records, lot);
  }

  private refuseAll(records: readonly PipelineRecord[], lot: Lot, error: unknown): void {
    for (const record of records) record.verdict = { kind: 'refused', error: error as Error };
    this.leave(records, lot);
  }

  private leave(records: readonly PipelineRecord[], lot: Lot): void {
    lot.release(records.length, bytesOf(records));
    this.buffer.leave(records.length);
  }

  private connected(): HandOver {
    if (this.handOver === undefined) throw new Error('IngressProcessing is not connected.');
    return this.handOver;
  }
}

const ACCEPTED: Verdict = { kind: 'accepted' };

/** What became of records in the buffer. */
interface Processed {
  readonly accepted: readonly PipelineRecord[];
  readonly discarded: readonly PipelineRecord[];
  readonly rejected: readonly PipelineRecord[];
}

/** A slice on its way into the buffer. */
interface Entering {
  readonly slice: Slice;
  readonly lot: Lot;
  entered: number;
  readonly processed: Promise<void>[];
}
