import { BEST_EFFORT_METRICS } from './best-effort-metric-definitions.js';
import { DESTINATION_METRICS } from './destination-metric-definitions.js';
import { DEAD_LETTER_METRICS } from './dead-letter-metric-definitions.js';
import { KAFKA_SINK_METRICS } from './kafka-sink-metric-definitions.js';
import { KAFKA_SOURCE_METRICS } from './kafka-source-metric-definitions.js';
import { METRICS, type MetricDefinition } from './metric-definitions.js';
import { SOURCE_METRICS } from './source-metric-definitions.js';

/** What a scrape shows. */
export const ALL_METRICS: readonly MetricDefinition[] = [
  SOURCE_METRICS,
  METRICS,
  DESTINATION_METRICS,
  DEAD_LETTER_METRICS,
  KAFKA_SOURCE_METRICS,
  KAFKA_SINK_METRICS,
  BEST_EFFORT_METRICS,
].flatMap((group) => Object.values<MetricDefinition>(group));
