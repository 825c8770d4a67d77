import { markdownTable } from '../config/markdown-table.js';
import { ALL_METRICS } from './all-metrics.js';

/** What is asked for most. */
export const METRIC_QUERIES = [
  {
    says: 'records consumed per second',
    expr: 'sum by (source) (rate(penstock_records_consumed_total[1m]))',
  },
  {
    says: 'records ended per second',
    expr: 'sum by (outcome) (rate(pipeline_records_ended_total[1m]))',
  },
  {
    says: 'processing latency, 99th percentile in seconds',
    expr: 'histogram_quantile(0.99, sum by (le, source) (rate(penstock_processing_latency_seconds_bucket[5m])))',
  },
] as const;

/** The text of docs/metrics.md. */
export function metricsDocument(): string {
  const rows = ALL_METRICS.map(({ name, kind, labels, help }) => [
    `\`${name}\``,
    kind,
    labels.length === 0 ? '–' : labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return [
    '# Metrics',
    '`GET /metrics` answers in the text format of Prometheus. Labels are closed sets: never a tenant, key or record id.',
    [
      'Besides these there are the usual ones of a Node.js process: `process_*` (CPU, memory, file descriptors) and',
      '`nodejs_*` (event loop delay, heap, garbage collection).',
    ].join('\n'),
    'Rates and quantiles are questions to Prometheus, for any window:',
    METRIC_QUERIES.map(({ says, expr }) => `- ${says}: \`${expr}\``).join('\n'),
    'This page is made from the definitions by `node scripts/generate-docs.mjs`.',
    `${markdownTable(['Metric', 'Kind', 'Labels', 'What it says'], rows)}\n`,
  ].join('\n\n');
}
