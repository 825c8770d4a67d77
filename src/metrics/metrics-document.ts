import { markdownTable } from '../config/markdown-table.js';
import { ALL_METRICS } from './all-metrics.js';

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
    'This page is made from the definitions by `node scripts/generate-docs.mjs`.',
    `${markdownTable(['Metric', 'Kind', 'Labels', 'What it says'], rows)}\n`,
  ].join('\n\n');
}
