import { Injectable } from '@nestjs/common';
import type { KafkaSinkSnapshot } from '#libs/kafka';
import { Destinations } from '../pipeline/destinations.js';
import { CopiedMetric, type Sample } from './copied-metric.js';
import { KAFKA_SINK_METRICS } from './kafka-sink-metric-definitions.js';

type Readers = Readonly<Record<keyof typeof KAFKA_SINK_METRICS, () => Iterable<Sample>>>;

/** The metrics of the bounded producer; without a Kafka sink they have no samples. */
@Injectable()
export class KafkaSinkMetrics {
  constructor(private readonly destinations: Destinations) {
    const readers: Readers = {
      producerRecords: this.each(({ queuedRecords }) => queuedRecords),
      producerRecordCapacity: this.each(({ recordCapacity }) => recordCapacity),
      producerBytes: this.each(({ queuedBytes }) => queuedBytes),
      producerByteCapacity: this.each(({ byteCapacity }) => byteCapacity),
      producerLanes: () =>
        this.producers().flatMap(({ lanes }) =>
          Object.entries(lanes).map(([state, value]) => ({ labels: { state }, value })),
        ),
      producerAnswers: () =>
        this.producers().flatMap(({ acknowledged, failed }) => [
          { labels: { outcome: 'acknowledged' }, value: acknowledged },
          { labels: { outcome: 'failed' }, value: failed },
        ]),
      producerSends: this.each(({ sends }) => sends),
      producerFailedSends: this.each(({ failedSends }) => failedSends),
      producerLateAnswers: this.each(({ lateAnswers }) => lateAnswers),
    };
    for (const [name, definition] of Object.entries(KAFKA_SINK_METRICS)) {
      new CopiedMetric(definition, readers[name as keyof typeof KAFKA_SINK_METRICS]);
    }
  }

  private producers(): KafkaSinkSnapshot[] {
    return this.destinations.all().flatMap(({ producer }) => producer ?? []);
  }

  private each(value: (producer: KafkaSinkSnapshot) => number): () => Sample[] {
    return () => this.producers().map((producer) => ({ labels: {}, value: value(producer) }));
  }
}
