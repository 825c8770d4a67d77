import { Inject, Injectable } from '@nestjs/common';
import type { Lot } from '#libs/flow-control';
import { DeliveryLease, UNENDING_LEASE } from '../ledger/delivery-lease.port.js';
import { drain } from '../pipeline/drain.js';
import { Settlement } from '../pipeline/settlement.js';
import type { Slice, Stage } from '../pipeline/stage.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { StallReasons } from '../pipeline/destination/stall-reasons.js';
import { FanOut } from './fan-out.js';
import { FINAL_SINK_OPTIONS, type FinalSinkOptions } from './final-sink.options.js';
import { OnlySink } from './only-sink.js';
import { type PendingAcknowledgmentsSnapshot, sumOf } from './pending-acknowledgments.js';
import { RecordEnds } from './record-ends.js';
import { statusOf } from './sink-guard.js';
import { SILENT_METER, SinkMeters } from './sink-meters.js';
import {
  type Distribution,
  inServiceLimitOf,
  resizeRoute,
  sinkRoute,
  type SinkRoute,
} from './sink-route.js';
import { type RoutedSink, SINKS } from './sinks/sink.js';

/**
 * FinalSink: delivers, waits for the destinations' acknowledgments, and enters the end of records in the books.
 *
 * FS1 a record has one end: acknowledged when every required destination has it, or a dead letter; never both.
 * FS2 the order of an end is: destination, books, origin and pipeline credit, the stage's credit.
 * FS3 credits come back on every way out.
 */
@Injectable()
export class FinalSinkStage implements Stage {
  readonly id = 'FinalSink';
  private readonly routes: readonly SinkRoute[];
  private readonly distribution: Distribution;

  constructor(
    private readonly runtime: StageRuntime,
    @Inject(FINAL_SINK_OPTIONS) private readonly options: FinalSinkOptions,
    private readonly settlement: Settlement,
    @Inject(SINKS) sinks: readonly RoutedSink[],
    lease: DeliveryLease = UNENDING_LEASE,
  ) {
    const { controller, clock } = runtime;
    const meter = controller.meter(this.id);
    const ends = new RecordEnds({ settlement, meter, clock });
    const meters = new SinkMeters(meter);
    const meterOf = ({ isRequired }: RoutedSink) => (isRequired ? meters.add() : SILENT_METER);
    this.routes = sinks.map((routed) =>
      sinkRoute(routed, {
        runtime,
        options,
        meter: sinks.length === 1 ? meter : meterOf(routed),
        lease,
        isBlocked: () => settlement.isBlocked,
        onLeft: (left) => ends.giveAway(left),
        distribution: () => this.distribution,
      }),
    );
    const [only, ...others] = this.routes;
    if (only === undefined) throw new RangeError('FinalSink needs a sink.');
    this.distribution =
      others.length === 0 ? new OnlySink(only, ends) : new FanOut(this.routes, ends);
  }

  /** The last stage has no next one. */
  connect(): void {}

  async start(): Promise<void> {
    const { controller, destinations, limits } = this.runtime;
    this.serve(this.options.maxPendingAcknowledgments);
    limits.watch(this.id, ({ maxPendingAcknowledgments }) => {
      if (maxPendingAcknowledgments === undefined) return;
      this.serve(maxPendingAcknowledgments);
      for (const route of this.routes) resizeRoute(route, maxPendingAcknowledgments);
    });
    const stalls = new StallReasons((isStalled) => controller.stalled(this.id, isStalled));
    for (const route of this.required) this.watch(route, stalls);
    this.settlement.onBlocked((isBlocked) => {
      stalls.set('dead letters', isBlocked);
      if (!isBlocked) for (const { deliveries } of this.routes) deliveries.pump();
    });
    for (const route of this.routes) {
      destinations.add(() => statusOf(route));
      await route.sink.start();
    }
  }

  take({ records }: Slice, lot: Lot): void {
    for (const record of records) record.stage = this.id;
    this.distribution.take(records, lot);
  }

  /** Of several sinks: their sums. */
  snapshot(): PendingAcknowledgmentsSnapshot {
    return sumOf(this.routes.map(({ deliveries }) => deliveries.snapshot()));
  }

  drain(deadlineMs: number): Promise<void> {
    const { clock } = this.runtime;
    const inside = (): number => this.runtime.controller.credits(this.id).outstanding;
    const isWorking = (): boolean => this.routes.some(({ deliveries }) => deliveries.isDelivering);
    return drain({ clock, deadlineMs, inside, isWorking });
  }

  async stop(): Promise<void> {
    for (const { deliveries } of this.routes) deliveries.stop();
    this.settlement.stop();
    await Promise.all(this.routes.map(({ sink }) => sink.stop()));
  }

  /** Others hold the stage up by nothing. */
  private get required(): readonly SinkRoute[] {
    return this.routes.filter(({ bestEffort }) => bestEffort === undefined);
  }

  private watch({ sink: { name }, guard }: SinkRoute, stalls: StallReasons): void {
    const { pauses } = this.runtime;
    guard.onStalled((isStalled) => stalls.set(`breaker of ${name}`, isStalled));
    pauses.onSink(name, (isPaused) => stalls.set(`pause of ${name}`, isPaused));
    stalls.set(`pause of ${name}`, pauses.isSinkPaused(name));
  }

  private serve(maxPending: number): void {
    const limits = this.required.map(({ sink }) => inServiceLimitOf(sink, maxPending));
    this.runtime.controller.resizeStage(this.id, { inServiceLimit: Math.max(...limits) });
  }
}
