import { metric } from './metric-definitions.js';

/** What the sources bring and how long it takes: the two figures that a service is compared by, whatever its stages. */
export const SOURCE_METRICS = {
  consumed: metric(
    'penstock_records_consumed_total',
    'counter',
    ['source'],
    'Records that came in: accepted durably by REST, brought into the pipeline by Kafka.',
  ),
  processingLatency: metric(
    'penstock_processing_latency_seconds',
    'histogram',
    ['source'],
    'Time from the Gateway to the end of a record, by source; pipeline_record_seconds is of all.',
  ),
} as const;
