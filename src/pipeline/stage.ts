import type { Lot } from '#libs/flow-control';
import type { PipelineRecord } from './record.js';
import type { StageId } from './stage-id.js';

export { STAGE_IDS, type StageId } from './stage-id.js';

/** Records of one source that travel together, in intake order. A single REST record is a slice of one. */
export interface Slice {
  readonly records: readonly PipelineRecord[];
  /**
   * Monotonic ms until which these records may wait before the durable accept; later they are refused. Infinity for
   * records that their source holds (Kafka).
   */
  readonly admitByMs: number;
  /** Aborted when the caller has gone before the durable accept. */
  readonly signal?: AbortSignal;
}

/**
 * A stage of the pipeline.
 *
 * Records travel downstream, credits upstream: whoever calls `take` holds a lot of exactly `slice.records.length`
 * credits of this stage, and hands it over with the records. From then on the stage owns both and gives every credit
 * back exactly once, when its record leaves the stage, whatever way it leaves.
 */
export interface Stage {
  readonly id: StageId;
  /** Called once by the pipeline, before `start`. The last stage has no next one. */
  connect(next: Stage): void;
  /**
   * Takes the records over. The upstream half (Gateway, KeyGen, IngressProcessing) resolves when each record has its
   * verdict; the downstream half returns at once and carries the records to their end by itself. Never throws: what
   * goes wrong with a record is its verdict or its terminal state.
   */
  take(slice: Slice, lot: Lot): Promise<void> | void;
  /** Makes the stage ready for records. Called sink first. */
  start(): Promise<void> | void;
  /**
   * Called gateway first, when nothing comes any more. Waits for the records inside, but only while they move; what
   * can't move is left to the journal. `deadlineMs` is a moment of the monotonic clock.
   */
  drain(deadlineMs: number): Promise<void> | void;
  /** Ends timers and connections. Idempotent. */
  stop(): Promise<void> | void;
}
