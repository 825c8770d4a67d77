import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import type { StageMeter } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import { DestinationGuard } from '../pipeline/destination/destination-guard.js';
import { drain } from '../pipeline/drain.js';
import type { Carried } from '../pipeline/give-back.js';
import { HandOver } from '../pipeline/hand-over.js';
import { Settlement } from '../pipeline/settlement.js';
import type { Slice, Stage } from '../pipeline/stage.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { StallReasons } from '../pipeline/destination/stall-reasons.js';
import { ASYNC_EGRESS_OPTIONS, type AsyncEgressOptions } from './async-egress.options.js';
import { type Destination, EGRESS_DESTINATION, EGRESS_DESTINATION_NAME } from './destination.js';
import { EgressCalls, type EgressCallsSnapshot } from './egress-calls.js';
import { OrderedRelease } from './ordered-release.js';

/** What keeps its order through the calls. */
export type EgressOrder = 'key' | 'input-partition';
export const EGRESS_ORDER = Symbol('EGRESS_ORDER');

/**
 * AsyncEgress: the external call of each record, if there is one.
 *
 * AE1 a record keeps its credit until FinalSink has it or its end is in the books.
 * AE2 records of a key leave in the order in which they came; in exactly-once mode those of an input partition.
 * AE3 without a call slices pass as they are: no promise, timer or closure per record.
 */
@Injectable()
export class AsyncEgressStage implements Stage {
  readonly id = 'AsyncEgress';
  private readonly logger = new Logger(AsyncEgressStage.name);
  private readonly meter: StageMeter;
  private readonly guard: DestinationGuard | undefined;
  private readonly calls: EgressCalls | undefined;
  private readonly release: OrderedRelease | undefined;
  private handOver: HandOver | undefined;

  constructor(
    private readonly runtime: StageRuntime,
    @Inject(ASYNC_EGRESS_OPTIONS) private readonly options: AsyncEgressOptions,
    private readonly settlement: Settlement,
    @Optional() @Inject(EGRESS_DESTINATION) private readonly destination: Destination | undefined,
    @Optional() @Inject(EGRESS_ORDER) order: EgressOrder = 'key',
  ) {
    this.meter = runtime.controller.meter(this.id);
    if (order === 'input-partition') {
      this.release = new OrderedRelease(({ record, lot }) => this.connected().push([record], lot));
    }
    if (destination === undefined) return;
    this.guard = this.makeGuard();
    this.calls = this.makeCalls(destination, this.guard);
  }

  connect(next: Stage): void {
    const { controller, clock } = this.runtime;
    this.handOver = new HandOver({ next, controller, meter: this.meter, clock });
  }

  start(): void {
    const { calls, guard } = this;
    if (calls === undefined || guard === undefined) return;
    const { controller, destinations, limits } = this.runtime;
    controller.resizeStage(this.id, { inServiceLimit: this.options.maxConcurrentOperations });
    limits.watch(this.id, ({ maxConcurrentOperations, bufferSize }) => {
      const atATime = maxConcurrentOperations ?? this.options.maxConcurrentOperations;
      controller.resizeStage(this.id, { inServiceLimit: atATime });
      calls.resize(atATime, bufferSize);
    });
    const stalls = new StallReasons((isStalled) => controller.stalled(this.id, isStalled));
    guard.onStalled((isStalled) => stalls.set('breaker', isStalled));
    this.settlement.onBlocked((isBlocked) => {
      stalls.set('dead letters', isBlocked);
      if (!isBlocked) calls.pump();
    });
    destinations.add(() => {
      const [condition, seen] = [guard.condition(), guard.snapshot()];
      return { name: guard.destination, kind: 'egress', ...condition, guard: seen };
    });
  }

  take({ records }: Slice, lot: Lot): void {
    for (const record of records) record.stage = this.id;
    if (this.calls === undefined) this.connected().push(records, lot);
    else {
      this.release?.add(records);
      this.calls.take(records, lot);
    }
  }

  /** The running calls; undefined when there is no call. */
  snapshot(): EgressCallsSnapshot | undefined {
    return this.calls?.snapshot();
  }

  drain(deadlineMs: number): Promise<void> {
    const { clock } = this.runtime;
    const inside = (): number => this.connected().waiting + (this.calls?.inside ?? 0);
    const isWorking = (): boolean => (this.calls?.snapshot().running ?? 0) > 0;
    return drain({ clock, deadlineMs, inside, isWorking });
  }

  async stop(): Promise<void> {
    this.calls?.stop();
    this.handOver?.stop();
    await this.destination?.close();
  }

  private makeGuard(): DestinationGuard {
    const { runtime, options } = this;
    return new DestinationGuard({
      stage: this.id,
      destination: EGRESS_DESTINATION_NAME,
      settings: options,
      maxAttempts: options.maxRetries,
      baseDelayMs: options.baseRetryDelayMs,
      maxDelayMs: options.maxRetryDelayMs,
      maxAbandoned: options.maxConcurrentOperations,
      clock: runtime.clock,
      random: runtime.random,
    });
  }

  private makeCalls(destination: Destination, guard: DestinationGuard): EgressCalls {
    const { runtime, options, meter } = this;
    return new EgressCalls({
      runtime,
      options,
      destination,
      guard,
      meter,
      isBlocked: () => this.settlement.isBlocked,
      onDone: (carried) => this.done(carried),
      onGivenUp: (carried, reason) => this.giveUp(carried, reason),
    });
  }

  private done(carried: Carried): void {
    if (this.release === undefined) this.connected().push([carried.record], carried.lot);
    else this.release.done(carried);
  }

  private async giveUp({ record, lot }: Carried, reason: string): Promise<void> {
    const { attempts } = record;
    const destination = EGRESS_DESTINATION_NAME;
    try {
      await this.settlement.deadLetter({ record, attempts, destination }, reason);
    } catch (error) {
      // Safe: the journal still has the record, and the next start carries it on.
      this.logger.error(`Record ${record.id} is left to the journal: ${String(error)}`);
      this.settlement.leave([record]);
    }
    lot.release(1, record.sizeBytes);
    this.release?.ended(record);
  }

  private connected(): HandOver {
    if (this.handOver === undefined) throw new Error('AsyncEgress is not connected.');
    return this.handOver;
  }
}
