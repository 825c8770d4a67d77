import { Inject, Injectable, Optional } from '@nestjs/common';
import { KafkaSource } from '#libs/kafka';
import { Journal } from '../ledger/journal.port.js';
import { CopiedMetric, histogramSamples, type Sample } from './copied-metric.js';
import { RecordCounters } from './record-counters.js';
import { SOURCE_METRICS } from './source-metric-definitions.js';

/** What each source brought; a source that is not there has no sample. */
@Injectable()
export class SourceMetrics {
  constructor(
    journal: Journal,
    records: RecordCounters,
    @Optional() @Inject(KafkaSource) kafka: KafkaSource | undefined,
  ) {
    const { consumed, processingLatency } = SOURCE_METRICS;
    new CopiedMetric(consumed, () => [
      sampleOf('rest', journal.snapshot().flushedRecords),
      ...(kafka === undefined ? [] : [sampleOf('kafka', kafka.snapshot().counters.records)]),
    ]);
    new CopiedMetric(processingLatency, () =>
      Object.entries(records.secondsOf).flatMap(([source, histogram]) => [
        ...histogramSamples(processingLatency.name, histogram, { source }),
      ]),
    );
  }
}

function sampleOf(source: string, value: number): Sample {
  return { labels: { source }, value };
}
