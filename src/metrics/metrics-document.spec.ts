import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALL_METRICS } from './all-metrics.js';
import { metricsDocument } from './metrics-document.js';

/** Those that say nothing of stages have the name of the service. */
const isOfService = (name: string): boolean =>
  ['penstock_records_consumed_total', 'penstock_processing_latency_seconds'].includes(name);

describe('the metrics', () => {
  it('docs/metrics.md says what the definitions say; node scripts/generate-docs.mjs writes it', () => {
    const file = join(__dirname, '..', '..', 'docs', 'metrics.md');
    expect(readFileSync(file, 'utf8')).toBe(metricsDocument());
  });

  it.each(ALL_METRICS)('$name follows the naming rules', ({ name, kind, help }) => {
    expect(name).toMatch(isOfService(name) ? /^penstock_[a-z_]+$/ : /^pipeline_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(kind === 'counter');
    expect(kind !== 'histogram' || name.endsWith('_seconds')).toBe(true);
    expect(help).toMatch(/\.$/);
  });

  it('has no label that grows with the callers', () => {
    const labels = new Set(ALL_METRICS.flatMap((metric) => metric.labels));
    const closed = 'dimension,outcome,reason,route,signal,source,stage,state,status'.split(',');
    // Of the partitions that are assigned to this process.
    const assigned = ['partition', 'topic'];
    // The egress, and the sinks that the definition or SINKS names.
    const configured = ['destination'];
    expect([...labels].toSorted()).toEqual([...closed, ...assigned, ...configured].toSorted());
  });
});
