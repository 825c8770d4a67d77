import { Inject, Injectable } from '@nestjs/common';
import { type Admission, CapacityExhaustedError } from '#libs/back-pressure';
import { type Lot, sleep } from '#libs/flow-control';
import type { SourceGrant, SourceHandler, SourceSlice } from '#libs/kafka';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { Intake } from '../pipeline/intake.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { Settlement } from '../pipeline/settlement.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { AdmissionPlaces } from './admission-places.js';
import { GatewayStage } from './gateway.stage.js';
import { KafkaRecords } from './kafka-records.js';

/** How often a disk that is nearly full is looked at. */
const LOOK_AT_STORAGE_EVERY_MS = 100;

/**
 * The Gateway's side of the Kafka source: admits what it has fetched, and takes it into the pipeline.
 *
 * KI1 every record that was taken has its end by Settlement, or is left to its offset; its pipeline credit goes back there.
 * KI2 no promise, closure or timer per record: one slice a hand-off.
 * KI3 nothing is refused: what gets no admission is asked for again, and the source fetches no more meanwhile.
 */
@Injectable()
export class KafkaIntake implements SourceHandler {
  private readonly places: AdmissionPlaces;
  private readonly records: KafkaRecords;

  constructor(
    private readonly gateway: GatewayStage,
    private readonly runtime: StageRuntime,
    private readonly settlement: Settlement,
    private readonly intake: Intake,
    @Inject(PIPELINE_DEFINITION) definition: AnyPipelineDefinition,
  ) {
    this.places = new AdmissionPlaces(runtime.controller, runtime.clock);
    this.records = new KafkaRecords(definition);
  }

  request(count: number, sizes: ArrayLike<number>, lane: number): Admission | undefined {
    if (this.isStorageLow) return undefined;
    if (this.places.has(lane)) return this.places.claim(lane, count);
    return this.runtime.controller.tryAdmit(count, sizes);
  }

  async wait(
    count: number,
    sizes: ArrayLike<number>,
    lane: number,
    { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<Admission | undefined> {
    const { clock } = this.runtime;
    const endMs = clock.now() + timeoutMs;
    while (this.isStorageLow && clock.now() < endMs) await sleep(clock, LOOK_AT_STORAGE_EVERY_MS);
    return this.places.wait(lane, { count, sizes, signal, timeoutMs: endMs - clock.now() });
  }

  offer(slice: SourceSlice, grant: SourceGrant): void {
    const { gateway, pipeline } = grant as Admission;
    const records = this.records.of(slice, pipeline, this.runtime.clock.wallNow());
    this.settlement.inFlight.add(records);
    void this.carry(records, gateway);
  }

  headroom(): number {
    const { controller } = this.runtime;
    const ratios = [controller.entryStage, 'pipeline'].map((pool) => {
      const { limit, outstanding } = controller.credits(pool);
      return (limit - outstanding) / limit;
    });
    return Math.max(0, Math.min(...ratios));
  }

  private get isStorageLow(): boolean {
    return this.intake.isClosedBy('storage-low');
  }

  private async carry(records: readonly PipelineRecord[], lot: Lot): Promise<void> {
    const { clock, controller } = this.runtime;
    const sinceMs = clock.now();
    await this.gateway.take({ records, admitByMs: Infinity }, lot);
    const left = records.filter(wasNotCarriedOn);
    if (left.length > 0) this.settlement.leave(left);
    const served = records.length - left.length;
    if (served > 0) controller.meter('Gateway').completed(served, clock.now() - sinceMs);
  }
}

/** Only a stop refuses what its source holds; what a function of the pipeline failed on has its end. */
function wasNotCarriedOn({ verdict }: PipelineRecord): boolean {
  return verdict?.kind === 'refused' && verdict.error instanceof CapacityExhaustedError;
}
