import { Inject, Injectable, Logger } from '@nestjs/common';
import type { StageMeter } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import type { Ending } from '../ledger/acknowledgments.port.js';
import { DeliveryLease, UNENDING_LEASE } from '../ledger/delivery-lease.port.js';
import type { DestinationGuard } from '../pipeline/destination-guard.js';
import { drain } from '../pipeline/drain.js';
import { type Carried, giveBack } from '../pipeline/give-back.js';
import { Settlement } from '../pipeline/settlement.js';
import type { Slice, Stage } from '../pipeline/stage.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { StallReasons } from '../pipeline/stall-reasons.js';
import { type Delivered, Deliveries } from './deliveries.js';
import { FINAL_SINK_OPTIONS, type FinalSinkOptions } from './final-sink.options.js';
import type { PendingAcknowledgmentsSnapshot } from './pending-acknowledgments.js';
import { guardOf, statusOf } from './sink-guard.js';
import { type Sink, SINK } from './sinks/sink.js';

/**
 * FinalSink: delivers, waits for the destination's acknowledgment, and enters the end of records in the books.
 *
 * FS1 a record has one end: acknowledged when the destination has it, or a dead letter; never both.
 * FS2 the order of an end is: destination, books, origin and pipeline credit, the stage's credit.
 * FS3 credits come back on every way out.
 */
@Injectable()
export class FinalSinkStage implements Stage {
  readonly id = 'FinalSink';
  private readonly logger = new Logger(FinalSinkStage.name);
  private readonly meter: StageMeter;
  private readonly guard: DestinationGuard;
  private readonly deliveries: Deliveries;

  constructor(
    private readonly runtime: StageRuntime,
    @Inject(FINAL_SINK_OPTIONS) private readonly options: FinalSinkOptions,
    private readonly settlement: Settlement,
    @Inject(SINK) private readonly sink: Sink,
    lease: DeliveryLease = UNENDING_LEASE,
  ) {
    this.meter = runtime.controller.meter(this.id);
    this.guard = guardOf(sink, options, runtime);
    this.deliveries = new Deliveries({
      runtime,
      options,
      sink,
      guard: this.guard,
      meter: this.meter,
      lease,
      isBlocked: () => settlement.isBlocked,
      onDelivered: (delivered) => void this.acknowledge(delivered),
      onGivenUp: (carried, reason) => this.giveUp(carried, reason),
    });
  }

  /** The last stage has no next one. */
  connect(): void {}

  async start(): Promise<void> {
    const { controller, destinations, limits, pauses } = this.runtime;
    this.serve(this.options.maxPendingAcknowledgments);
    limits.watch(this.id, ({ maxPendingAcknowledgments }) => {
      if (maxPendingAcknowledgments === undefined) return;
      this.serve(maxPendingAcknowledgments);
      this.deliveries.resize(maxPendingAcknowledgments);
    });
    const { name } = this.sink;
    const stalls = new StallReasons((isStalled) => controller.stalled(this.id, isStalled));
    this.guard.onStalled((isStalled) => stalls.set(`breaker of ${name}`, isStalled));
    pauses.onSink(name, (isPaused) => stalls.set(`pause of ${name}`, isPaused));
    stalls.set(`pause of ${name}`, pauses.isSinkPaused(name));
    this.settlement.onBlocked((isBlocked) => {
      stalls.set('dead letters', isBlocked);
      if (!isBlocked) this.deliveries.pump();
    });
    destinations.add(() => statusOf(this.sink, this.guard));
    await this.sink.start();
  }

  take({ records }: Slice, lot: Lot): void {
    for (const record of records) record.stage = this.id;
    this.deliveries.take(records, lot);
  }

  snapshot(): PendingAcknowledgmentsSnapshot {
    return this.deliveries.snapshot();
  }

  drain(deadlineMs: number): Promise<void> {
    const { clock } = this.runtime;
    const inside = (): number => this.runtime.controller.credits(this.id).outstanding;
    return drain({ clock, deadlineMs, inside, isWorking: () => this.deliveries.isDelivering });
  }

  async stop(): Promise<void> {
    this.deliveries.stop();
    this.settlement.stop();
    await this.sink.stop();
  }

  private serve(maxPending: number): void {
    const { maxBatchRecords, isOrdered, repeats } = this.sink;
    const atATime = isOrdered && !repeats ? maxBatchRecords : maxPending;
    const inServiceLimit = Math.min(atATime, maxPending);
    this.runtime.controller.resizeStage(this.id, { inServiceLimit });
  }

  private async acknowledge(delivered: readonly Delivered[]): Promise<void> {
    const endings = delivered.map((each) => this.endingOf(each));
    if (this.sink.endsRecords) this.settlement.tell(endings);
    else await this.enter(endings);
    giveBack(delivered, this.meter, this.runtime.clock.now());
  }

  private async enter(endings: readonly Ending[]): Promise<void> {
    try {
      const refused = await this.settlement.finish(endings);
      for (const { ending, error } of refused) this.leave(ending.record.id, [ending], error);
    } catch (error) {
      this.leave(`${endings.length} records`, endings, error);
    }
  }

  private endingOf({ record, externalId }: Delivered): Ending {
    return {
      record,
      terminal: { status: 'acknowledged' },
      attempts: record.attempts,
      destination: this.sink.name,
      ...(externalId === undefined ? {} : { externalId }),
    };
  }

  private async giveUp({ record, lot }: Carried, reason: string): Promise<void> {
    const { attempts } = record;
    const destination = this.sink.name;
    try {
      await this.settlement.deadLetter({ record, attempts, destination }, reason);
    } catch (error) {
      this.leave(record.id, [{ record }], error);
    }
    lot.release(1, record.sizeBytes);
  }

  /** Safe: the journal still has the records, and the next start carries them on. */
  private leave(what: string, endings: readonly Pick<Ending, 'record'>[], error: unknown): void {
    this.logger.error(`Left to the journal: ${what}: ${String(error)}`);
    this.settlement.leave(endings.map(({ record }) => record));
  }
}
