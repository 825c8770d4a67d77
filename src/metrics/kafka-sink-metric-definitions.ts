import { metric, type MetricDefinition } from './metric-definitions.js';

/** Of each Kafka sink; without one they have no samples. */
export const KAFKA_SINK_METRICS = {
  producerRecords: metric(
    'pipeline_kafka_producer_records',
    'gauge',
    ['destination'],
    'Records in the producer of a Kafka sink, those being sent included.',
  ),
  producerRecordCapacity: metric(
    'pipeline_kafka_producer_capacity_records',
    'gauge',
    ['destination'],
    'Most records that it takes.',
  ),
  producerBytes: metric(
    'pipeline_kafka_producer_bytes',
    'gauge',
    ['destination'],
    'Bytes of these records; with their bound a part of the network pressure.',
  ),
  producerByteCapacity: metric(
    'pipeline_kafka_producer_capacity_bytes',
    'gauge',
    ['destination'],
    'Most bytes that it takes.',
  ),
  producerLanes: metric(
    'pipeline_kafka_producer_lanes',
    'gauge',
    ['destination', 'state'],
    'Partitions of the output topic that are sent to, are held by a failure, or answer too late.',
  ),
  producerTaken: metric(
    'pipeline_kafka_producer_records_taken_total',
    'counter',
    ['destination'],
    'Records that it took; what it has not answered yet is inside.',
  ),
  producerAnswers: metric(
    'pipeline_kafka_producer_answers_total',
    'counter',
    ['destination', 'outcome'],
    'Answers for single records: acknowledged by all in-sync replicas, or failed for good.',
  ),
  producerSends: metric(
    'pipeline_kafka_producer_sends_total',
    'counter',
    ['destination'],
    'Sends, each of records of one partition.',
  ),
  producerFailedSends: metric(
    'pipeline_kafka_producer_failed_sends_total',
    'counter',
    ['destination'],
    'Sends that failed for all of their records; most of them are sent again.',
  ),
  producerLateAnswers: metric(
    'pipeline_kafka_producer_late_answers_total',
    'counter',
    ['destination'],
    'Answers to sends that came after the acknowledgment timeout.',
  ),
} as const satisfies Readonly<Record<string, MetricDefinition>>;
