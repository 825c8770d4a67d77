import {
  type BookedPartition,
  type KafkaBooks,
  OffsetWatermark,
} from '../../libs/kafka/src/index.js';
import { positionId } from '../../src/ledger/kafka-position.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import { makeRecord } from './ledger.js';

/** One partition as a source has it: hands records off, marks them done, and writes its watermark to the books. */
export class KafkaPartition {
  readonly mark: OffsetWatermark;

  private constructor(
    private readonly books: KafkaBooks,
    readonly topic: string,
    readonly incarnation: number,
    readonly source: number,
    readonly row: BookedPartition,
  ) {
    this.mark = new OffsetWatermark({ ...row, maxRecords: 8192 });
  }

  /** Takes the partition, as an assignment does. */
  static async take(
    books: KafkaBooks,
    topic: string,
    partition = 0,
    startOffset = 0n,
  ): Promise<KafkaPartition> {
    const { source, incarnation } = await books.source(topic);
    const [row] = await books.assign(source, [{ partition, startOffset }]);
    return new KafkaPartition(books, topic, incarnation, source, row!);
  }

  id(offset: bigint): string {
    const { topic, incarnation, row } = this;
    return positionId({ topic, incarnation, partition: row.partition, offset });
  }

  /** The records at these ascending offsets are handed off. */
  begin(offsets: readonly bigint[], fields: Partial<PipelineRecord> = {}): PipelineRecord[] {
    const relative = offsets.map((offset) => this.mark.relative(offset));
    const timestamps = relative.map((offset) => 1_767_225_600_000 + offset);
    this.mark.begin(relative, timestamps, 0, relative.length);
    return offsets.map((offset) =>
      makeRecord({ id: this.id(offset), source: 'kafka', receivedAtMs: RECEIVED_AT_MS, ...fields }),
    );
  }

  /** What the origin does when it is told of an end. */
  done(...offsets: readonly bigint[]): void {
    for (const offset of offsets) this.mark.done(offset, offset);
  }

  /** Writes the watermark as it is; false when the partition belongs to somebody else. */
  async write(): Promise<boolean> {
    const { low, gaps, boundaryTimestampMs } = this.mark;
    const kept = await this.books.write([
      {
        source: this.source,
        partition: this.row.partition,
        epoch: this.row.epoch,
        low,
        gaps,
        boundaryTimestampMs,
        doneAbove: this.mark.doneAbove(),
        records: 0n,
      },
    ]);
    return kept.length === 1;
  }
}

export const RECEIVED_AT_MS = 1_767_225_600_000;
