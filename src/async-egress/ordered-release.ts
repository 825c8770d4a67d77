import type { Carried } from '../pipeline/give-back.js';
import type { PipelineRecord } from '../pipeline/record.js';

interface Entry {
  readonly record: PipelineRecord;
  /** Set when it may go on. */
  carried: Carried | undefined;
  state: 'inside' | 'done' | 'ended';
}

/**
 * Lets the records of an input partition go on in the order in which they came, whatever order their calls end in.
 *
 * OR1 a record goes on when all that came before it have gone on, or have ended.
 * OR2 it holds its credit until then, so what goes before it can't lack one.
 * Bounded by the stage's credits.
 */
export class OrderedRelease {
  private readonly lanes = new Map<string, Entry[]>();
  private readonly entries = new Map<PipelineRecord, Entry>();

  constructor(private readonly release: (carried: Carried) => void) {}

  /** Records that have come, in their order. */
  add(records: readonly PipelineRecord[]): void {
    for (const record of records) {
      const entry: Entry = { record, carried: undefined, state: 'inside' };
      const name = laneOf(record);
      const lane = this.lanes.get(name);
      if (lane === undefined) this.lanes.set(name, [entry]);
      else lane.push(entry);
      this.entries.set(record, entry);
    }
  }

  /** Its call has succeeded. */
  done(carried: Carried): void {
    this.settle(carried.record, 'done', carried);
  }

  /** It goes nowhere from here. */
  ended(record: PipelineRecord): void {
    this.settle(record, 'ended', undefined);
  }

  private settle(
    record: PipelineRecord,
    state: 'done' | 'ended',
    carried: Carried | undefined,
  ): void {
    const entry = this.entries.get(record);
    if (entry === undefined) return;
    entry.state = state;
    entry.carried = carried;
    const name = laneOf(record);
    const lane = this.lanes.get(name)!;
    let gone = 0;
    for (; gone < lane.length && lane[gone]!.state !== 'inside'; gone += 1) {
      const next = lane[gone]!;
      this.entries.delete(next.record);
      if (next.carried !== undefined) this.release(next.carried);
    }
    if (gone === lane.length) this.lanes.delete(name);
    else lane.splice(0, gone);
  }
}

/** The id of a Kafka record is its position: without the offset it names the partition. */
function laneOf({ id }: PipelineRecord): string {
  return id.slice(0, id.lastIndexOf(':'));
}
