import { Injectable } from '@nestjs/common';
import type { KafkaSinkSnapshot } from '#libs/kafka';
import { Destinations } from '../pipeline/destination/destinations.js';
import { CopiedMetric, type Sample } from './copied-metric.js';
import { KAFKA_SINK_METRICS } from './kafka-sink-metric-definitions.js';

type Readers = Readonly<Record<keyof typeof KAFKA_SINK_METRICS, () => Iterable<Sample>>>;

/** The metrics of each Kafka sink's bounded producer; without such a sink they have no samples. */
@Injectable()
export class KafkaSinkMetrics {
  constructor(private readonly destinations: Destinations) {
    const readers: Readers = {
      producerRecords: this.each(({ queuedRecords }) => queuedRecords),
      producerRecordCapacity: this.each(({ recordCapacity }) => recordCapacity),
      producerBytes: this.each(({ queuedBytes }) => queuedBytes),
      producerByteCapacity: this.each(({ byteCapacity }) => byteCapacity),
      producerLanes: () =>
        this.producers().flatMap(({ destination, producer }) =>
          Object.entries(producer.lanes).map(([state, value]) => ({
            labels: { destination, state },
            value,
          })),
        ),
      // Every record that was taken is inside or has its one answer.
      producerTaken: this.each(
        ({ queuedRecords, acknowledged, failed }) => queuedRecords + acknowledged + failed,
      ),
      producerAnswers: () =>
        this.producers().flatMap(({ destination, producer: { acknowledged, failed } }) => [
          { labels: { destination, outcome: 'acknowledged' }, value: acknowledged },
          { labels: { destination, outcome: 'failed' }, value: failed },
        ]),
      producerSends: this.each(({ sends }) => sends),
      producerFailedSends: this.each(({ failedSends }) => failedSends),
      producerLateAnswers: this.each(({ lateAnswers }) => lateAnswers),
    };
    for (const [name, definition] of Object.entries(KAFKA_SINK_METRICS)) {
      new CopiedMetric(definition, readers[name as keyof typeof KAFKA_SINK_METRICS]);
    }
  }

  private producers(): { readonly destination: string; readonly producer: KafkaSinkSnapshot }[] {
    return this.destinations
      .all()
      .flatMap(({ name, producer }) =>
        producer === undefined ? [] : { destination: name, producer },
      );
  }

  private each(value: (producer: KafkaSinkSnapshot) => number): () => Sample[] {
    return () =>
      this.producers().map(({ destination, producer }) => ({
        labels: { destination },
        value: value(producer),
      }));
  }
}
