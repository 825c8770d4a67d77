import { metric, type MetricDefinition } from './metric-definitions.js';

/** Of each sink that is not required; without one they have no samples. */
export const BEST_EFFORT_METRICS = {
  records: metric(
    'pipeline_best_effort_records_total',
    'counter',
    ['destination', 'outcome'],
    'Records for a sink that is not required: delivered, given up, or skipped as it had its bound of records inside.',
  ),
} as const satisfies Readonly<Record<string, MetricDefinition>>;
