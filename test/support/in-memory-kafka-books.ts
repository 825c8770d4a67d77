import {
  type BookedPartition,
  type BookedSource,
  type BookEntry,
  KafkaBooks,
  type PartitionStart,
} from '#libs/kafka';

interface Row {
  epoch: bigint;
  low: bigint;
  doneAbove: Buffer;
  gaps: bigint;
  boundaryTimestampMs: number | undefined;
}

/** The books in memory, with the same fences. Can be told to fail, to wait, and to lose partitions to another consumer. */
export class InMemoryKafkaBooks extends KafkaBooks {
  /** Every entry that was kept, in order. */
  readonly written: BookEntry[] = [];
  /** While set, each call rejects with it. */
  failure: Error | undefined;
  /** While set, a write waits for it before it looks at the rows. */
  gate: Promise<void> | undefined;
  writesUnderWay = 0;
  mostWritesAtOnce = 0;
  private readonly sources: { topic: string; incarnation: number }[] = [];
  private readonly rows = new Map<string, Row>();

  row(topic: string, partition: number, incarnation = 1): Row | undefined {
    const source = this.sources.findIndex(
      (each) => each.topic === topic && each.incarnation === incarnation,
    );
    return this.rows.get(`${source}:${partition}`);
  }

  override async source(topic: string): Promise<BookedSource> {
    await this.answer();
    const newest = this.newest(topic);
    if (newest >= 0) return this.booked(newest);
    this.sources.push({ topic, incarnation: 1 });
    return this.booked(this.sources.length - 1);
  }

  override async nextIncarnation(topic: string, after: number): Promise<BookedSource> {
    await this.answer();
    const newest = this.newest(topic);
    if (this.sources[newest]?.incarnation !== after) return this.booked(newest);
    this.sources.push({ topic, incarnation: after + 1 });
    return this.booked(this.sources.length - 1);
  }

  override async assign(
    source: number,
    starts: readonly PartitionStart[],
  ): Promise<readonly BookedPartition[]> {
    await this.answer();
    return starts.map(({ partition, startOffset }) => {
      const key = `${source}:${partition}`;
      const row = this.rows.get(key) ?? {
        epoch: 0n,
        low: startOffset,
        doneAbove: Buffer.alloc(0),
        gaps: 0n,
        boundaryTimestampMs: undefined,
      };
      row.epoch += 1n;
      this.rows.set(key, row);
      return { partition, ...row };
    });
  }

  override async write(entries: readonly BookEntry[]): Promise<readonly BookEntry[]> {
    this.writesUnderWay += 1;
    this.mostWritesAtOnce = Math.max(this.mostWritesAtOnce, this.writesUnderWay);
    try {
      await this.answer();
      if (this.gate) await this.gate;
      return entries.filter((entry) => this.keep(entry));
    } finally {
      this.writesUnderWay -= 1;
    }
  }

  override follow(entries: readonly BookEntry[]): Promise<readonly BookEntry[]> {
    return this.write(entries);
  }

  private keep(entry: BookEntry): boolean {
    const row = this.rows.get(`${entry.source}:${entry.partition}`);
    if (row?.epoch !== entry.epoch) return false;
    const { low, doneAbove, gaps, boundaryTimestampMs } = entry;
    Object.assign(row, { low, doneAbove, gaps, boundaryTimestampMs });
    this.written.push(entry);
    return true;
  }

  private newest(topic: string): number {
    return this.sources.findLastIndex((each) => each.topic === topic);
  }

  private booked(index: number): BookedSource {
    const { topic = '', incarnation = 0 } = this.sources[index] ?? {};
    const sources = new Set(
      this.sources.flatMap((each, i) => (each.topic === topic ? [`${i}`] : [])),
    );
    const isKnown = [...this.rows.keys()].some((key) => sources.has(key.split(':')[0] ?? ''));
    return { source: index, incarnation, isKnown };
  }

  private async answer(): Promise<void> {
    await Promise.resolve();
    if (this.failure) throw this.failure;
  }
}
