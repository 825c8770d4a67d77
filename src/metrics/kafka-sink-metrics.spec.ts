import { register } from 'prom-client';
import { makeGuard } from '../../test/support/guard.js';
import { Destinations } from '../pipeline/destination/destinations.js';
import { KafkaSinkMetrics } from './kafka-sink-metrics.js';

describe('KafkaSinkMetrics', () => {
  const destinations = new Destinations();
  const lines = async (): Promise<string[]> =>
    (await register.metrics()).split('\n').filter((line) => /^[^#]/.test(line));

  it('have no samples without a Kafka sink, and those of its producer with one', async () => {
    register.clear();
    expect(new KafkaSinkMetrics(destinations)).toBeDefined();
    expect(await lines()).toEqual([]);
    destinations.add(() => ({
      name: 'kafka',
      kind: 'sink',
      guard: makeGuard().snapshot(),
      topic: 'out',
      state: 'ready',
      detail: undefined,
      producer: {
        queuedRecords: 1,
        recordCapacity: 2,
        queuedBytes: 3,
        byteCapacity: 4,
        partitions: 4,
        unplaced: 0,
        lanes: { sending: 5, held: 6, late: 7 },
        acknowledged: 8,
        failed: 9,
        sends: 10,
        failedSends: 11,
        lateAnswers: 12,
      },
    }));
    expect(await lines()).toEqual([
      'pipeline_kafka_producer_records{destination="kafka"} 1',
      'pipeline_kafka_producer_capacity_records{destination="kafka"} 2',
      'pipeline_kafka_producer_bytes{destination="kafka"} 3',
      'pipeline_kafka_producer_capacity_bytes{destination="kafka"} 4',
      'pipeline_kafka_producer_lanes{destination="kafka",state="sending"} 5',
      'pipeline_kafka_producer_lanes{destination="kafka",state="held"} 6',
      'pipeline_kafka_producer_lanes{destination="kafka",state="late"} 7',
      'pipeline_kafka_producer_records_taken_total{destination="kafka"} 18',
      'pipeline_kafka_producer_answers_total{destination="kafka",outcome="acknowledged"} 8',
      'pipeline_kafka_producer_answers_total{destination="kafka",outcome="failed"} 9',
      'pipeline_kafka_producer_sends_total{destination="kafka"} 10',
      'pipeline_kafka_producer_failed_sends_total{destination="kafka"} 11',
      'pipeline_kafka_producer_late_answers_total{destination="kafka"} 12',
    ]);
  });
});
