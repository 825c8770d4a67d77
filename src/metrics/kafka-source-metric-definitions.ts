import { metric, type MetricDefinition } from './metric-definitions.js';

const PARTITION = ['topic', 'partition'];

/** Of the Kafka source; without one they have no samples. Its partitions are those assigned to this process. */
export const KAFKA_SOURCE_METRICS = {
  consumed: metric(
    'pipeline_records_consumed_total',
    'counter',
    [],
    'Records that Kafka brought into the pipeline.',
  ),
  duplicates: metric(
    'pipeline_kafka_duplicates_skipped_total',
    'counter',
    [],
    'Records fetched again that had ended or were inside: skipped.',
  ),
  lagRecords: metric(
    'pipeline_kafka_lag_records',
    'gauge',
    PARTITION,
    'Records from the first one that has not ended to the end of the partition.',
  ),
  lagSeconds: metric(
    'pipeline_kafka_lag_seconds',
    'gauge',
    PARTITION,
    'Age of the first record that has not ended; at least so much, while the history is short.',
  ),
  committedLagRecords: metric(
    'pipeline_kafka_committed_lag_records',
    'gauge',
    PARTITION,
    'Records from the offset committed to the group to the end of the partition.',
  ),
  inFlight: metric(
    'pipeline_kafka_partition_records',
    'gauge',
    PARTITION,
    'Records of the partition inside the pipeline.',
  ),
  paused: metric(
    'pipeline_kafka_paused_partitions',
    'gauge',
    [],
    'Partitions that are not fetched, for whatever reason.',
  ),
  pauseSeconds: metric(
    'pipeline_kafka_pause_seconds',
    'gauge',
    [],
    'Age of the longest pause; retention does not wait.',
  ),
  waitingBytes: metric(
    'pipeline_kafka_waiting_bytes',
    'gauge',
    [],
    'Bytes fetched that have no credits yet.',
  ),
  offsetResets: metric(
    'pipeline_kafka_offset_resets_total',
    'counter',
    [],
    'Positions that were gone from the topic: read on from its beginning.',
  ),
  lostRecords: metric(
    'pipeline_kafka_lost_records_total',
    'counter',
    [],
    'Records that were deleted from the topic before they were read.',
  ),
  incarnations: metric(
    'pipeline_kafka_incarnations_total',
    'counter',
    [],
    'Topics that were found to be made anew.',
  ),
  assignments: metric(
    'pipeline_kafka_assignments_total',
    'counter',
    [],
    'Times that this process joined its group.',
  ),
  crashes: metric(
    'pipeline_kafka_consumer_crashes_total',
    'counter',
    [],
    'Consumers that ended by themselves and were built anew.',
  ),
} as const satisfies Readonly<Record<string, MetricDefinition>>;
