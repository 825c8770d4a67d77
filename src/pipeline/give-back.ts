import type { StageMeter } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import type { PipelineRecord } from './record.js';

/** A record and the lot that holds its credit. */
export interface Carried {
  readonly record: PipelineRecord;
  readonly lot: Lot;
}

/** Gives the pipeline credits of records back: one release for neighbours of one lot. */
export function releasePipelineCredits(records: readonly PipelineRecord[]): void {
  for (let from = 0; from < records.length;) {
    const { credit } = records[from]!;
    let to = from;
    let bytes = 0;
    for (; to < records.length && records[to]!.credit === credit; to += 1) {
      bytes += records[to]!.sizeBytes;
    }
    credit.release(to - from, bytes);
    from = to;
  }
}

/**
 * Gives the credits of records back that have left their stage, and reports them as completed. Neighbours of one lot
 * leave together: one release and one measurement for all of them.
 */
export function giveBack(left: readonly Carried[], meter: StageMeter, nowMs: number): void {
  for (let from = 0; from < left.length;) {
    const { lot } = left[from]!;
    let to = from;
    let bytes = 0;
    for (; to < left.length && left[to]!.lot === lot; to += 1) bytes += left[to]!.record.sizeBytes;
    meter.completed(to - from, nowMs - lot.grantedAtMs);
    lot.release(to - from, bytes);
    from = to;
  }
}
