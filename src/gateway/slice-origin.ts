import type { SliceCompletion, SourceRecord } from '#libs/kafka';
import type { KafkaOrigin, KafkaOriginal } from '../ledger/kafka-position.js';
import type { PipelineRecord } from '../pipeline/record.js';

const NOTHING: KafkaOriginal = { key: null, value: null };

/**
 * The origin of the Kafka records of one slice: tells the source of their ends, in runs, and keeps what they came with
 * until then.
 *
 * SO1 a run reaches from one offset to another when every record of the slice between them has ended: the offsets in
 *     between that belong to no record (markers, compacted ones) are the source's to jump.
 * SO2 what a record came with is let go when it has ended, so that one that is stuck does not keep the others.
 */
export class SliceOrigin implements KafkaOrigin {
  private readonly records: (PipelineRecord | undefined)[] = [];
  private readonly sources: (SourceRecord | undefined)[] = [];
  /** Where the next record to end is, if they end in their order. */
  private next = 0;

  constructor(readonly completion: SliceCompletion) {}

  /** In the order of their offsets. */
  add(record: PipelineRecord, source: SourceRecord): void {
    this.records.push(record);
    this.sources.push(source);
  }

  settled(records: readonly PipelineRecord[]): void {
    let first: bigint | undefined;
    let last: bigint | undefined;
    let lastIndex = -1;
    for (const record of records) {
      const index = this.indexOf(record);
      const offset = this.sources[index]?.offset;
      if (offset === undefined) continue;
      if (index !== lastIndex + 1 || first === undefined) {
        if (first !== undefined && last !== undefined) this.completion.done(first, last);
        first = offset;
      }
      last = offset;
      lastIndex = index;
      this.next = index + 1;
      this.records[index] = undefined;
      this.sources[index] = undefined;
    }
    if (first !== undefined && last !== undefined) this.completion.done(first, last);
  }

  original(record: PipelineRecord): KafkaOriginal {
    return this.sources[this.indexOf(record)] ?? NOTHING;
  }

  private indexOf(record: PipelineRecord): number {
    return this.records[this.next] === record ? this.next : this.records.indexOf(record);
  }
}
