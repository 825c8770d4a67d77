import { Inject, Injectable, Optional } from '@nestjs/common';
import {
  KafkaSource,
  type PartitionLag,
  type PartitionSnapshot,
  type SourceCounters,
} from '#libs/kafka';
import { CopiedMetric, type Sample } from './copied-metric.js';
import { KAFKA_SOURCE_METRICS } from './kafka-source-metric-definitions.js';
import { only } from './stage-samples.js';

type Readers = Readonly<Record<keyof typeof KAFKA_SOURCE_METRICS, () => Iterable<Sample>>>;

const MS_PER_SECOND = 1000;

/** The metrics of the Kafka source. */
@Injectable()
export class KafkaSourceMetrics {
  constructor(@Optional() @Inject(KafkaSource) source: KafkaSource | undefined) {
    const readers = readersOf(source);
    for (const [name, definition] of Object.entries(KAFKA_SOURCE_METRICS)) {
      new CopiedMetric(definition, readers?.[name as keyof Readers] ?? NOTHING);
    }
  }
}

const NOTHING = (): Sample[] => [];

function readersOf(source: KafkaSource | undefined): Readers | undefined {
  if (source === undefined) return undefined;
  const count = (read: (counters: Readonly<SourceCounters>) => number) => () =>
    only(read(source.snapshot().counters));
  const lag = (read: (lag: PartitionLag) => number) => () =>
    source.lag().map((each) => sampleOf(each, read(each)));
  const pauses = (): number[] =>
    source
      .snapshot()
      .partitions.filter(({ pausedFor }) => pausedFor.length > 0)
      .map(({ pausedMs }) => pausedMs);
  return {
    consumed: count(({ records }) => records),
    duplicates: count(({ duplicates }) => duplicates),
    lagRecords: lag(({ records }) => records),
    lagSeconds: lag(({ seconds }) => seconds),
    committedLagRecords: lag(({ committedRecords }) => committedRecords),
    inFlight: () => source.snapshot().partitions.map((each) => sampleOf(each, each.inFlight)),
    paused: () => only(pauses().length),
    pauseSeconds: () => only(Math.max(0, ...pauses()) / MS_PER_SECOND),
    waitingBytes: () => only(source.snapshot().waitingBytes),
    offsetResets: count(({ offsetResets }) => offsetResets),
    lostRecords: count(({ lostRecords }) => lostRecords),
    incarnations: count(({ incarnations }) => incarnations),
    assignments: count(({ assignments }) => assignments),
    crashes: count(({ crashes }) => crashes),
  };
}

function sampleOf(
  { topic, partition }: Pick<PartitionSnapshot, 'topic' | 'partition'>,
  value: number,
): Sample {
  return { labels: { topic, partition: String(partition) }, value };
}
