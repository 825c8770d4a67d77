import { type Admission, CapacityExhaustedError } from '#libs/back-pressure';
import { type Lot, sleep } from '#libs/flow-control';
import { RedriveEntry, type TakenLetter } from '../dead-letters/redrive-entry.port.js';
import type { PipelineRecord } from './record.js';
import type { Settlement } from './settlement.js';
import type { Stage } from './stage.js';
import type { StageRuntime } from './stage-runtime.js';

export interface RedriveEntryParts {
  /** Where the records of Kafka begin. */
  readonly gateway: Stage;
  /** Where records go on that were accepted before. */
  readonly afterIngress: Stage;
  readonly records: { of(letter: TakenLetter, credit: Lot): PipelineRecord };
  readonly runtime: StageRuntime;
  readonly settlement: Settlement;
  /** KEYGEN_NUMBER_OF_PARTITIONS; it may have been larger when the letter was written. */
  readonly partitions: number;
}

/** How often credits are asked for: they are not waited for in line, as everybody else is to go first. */
const LOOK_FOR_CREDITS_EVERY_MS = 50;

/**
 * The way of redriven records into the pipeline, at the lowest priority.
 *
 * RV1 credits are taken only when nobody waits for them, and none while `bulk` is refused; they are those of every record:
 *     of the pipeline, of the entry, of each stage it passes.
 * RV2 a REST record goes on after IngressProcessing, as one that is recovered does; a Kafka record begins at the Gateway,
 *     as one that is fetched again does, so a pipeline that was mended has another look at it.
 */
export class PipelineRedriveEntry extends RedriveEntry {
  constructor(private readonly parts: RedriveEntryParts) {
    super();
  }

  admit(sizeBytes: number, signal: AbortSignal): Promise<Admission> {
    const { controller } = this.parts.runtime;
    return this.granted(signal, () =>
      controller.admitsBulk ? controller.tryAdmit(1, [sizeBytes]) : undefined,
    );
  }

  async enter(letter: TakenLetter, admission: Admission, signal: AbortSignal): Promise<boolean> {
    const record = this.recordOf(letter, admission);
    if (record.source === 'kafka') {
      await this.begin(record, admission.gateway);
      return true;
    }
    const { afterIngress, runtime, settlement } = this.parts;
    const { id } = afterIngress;
    let lot: Lot;
    try {
      const ask = (): Lot | undefined =>
        runtime.controller.requestCredits(id, 1, [record.sizeBytes]);
      lot = await this.granted(signal, ask);
    } catch (error) {
      admission.release();
      throw error;
    }
    settlement.inFlight.resume([record]);
    void afterIngress.take({ records: [record], admitByMs: Infinity }, lot);
    admission.gateway.release();
    return true;
  }

  private recordOf(letter: TakenLetter, admission: Admission): PipelineRecord {
    try {
      const record = this.parts.records.of(letter, admission.pipeline);
      record.partition %= this.parts.partitions;
      return record;
    } catch (error) {
      admission.release();
      throw error;
    }
  }

  private async begin(record: PipelineRecord, lot: Lot): Promise<void> {
    const { gateway, settlement } = this.parts;
    settlement.inFlight.add([record]);
    await gateway.take({ records: [record], admitByMs: Infinity }, lot);
    const { verdict } = record;
    // Only a stop refuses it: the letter is still to be sent again.
    const isLeft = verdict?.kind === 'refused' && verdict.error instanceof CapacityExhaustedError;
    if (isLeft) settlement.leave([record]);
  }

  private async granted<T>(signal: AbortSignal, ask: () => T | undefined): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      const granted = ask();
      if (granted !== undefined) return granted;
      await sleep(this.parts.runtime.clock, LOOK_FOR_CREDITS_EVERY_MS, signal);
    }
  }
}
