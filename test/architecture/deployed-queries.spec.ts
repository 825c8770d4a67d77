import { collectDefaultMetrics, Registry } from 'prom-client';
import { ALL_METRICS } from '../../src/metrics/all-metrics.js';
import { METRIC_QUERIES } from '../../src/metrics/metrics-document.js';
import { STAGE_IDS } from '../../src/pipeline/stage-id.js';
import { alertRules, dashboards, deployedExpressions } from '../support/deploy-files.js';
import { parsePromql } from '../support/promql.js';

/** What Prometheus adds to everything that it scrapes. */
const TARGET_LABELS = ['job', 'instance'];
/** Made by Prometheus itself. */
const OF_PROMETHEUS: ReadonlyMap<string, readonly string[]> = new Map([
  ['up', []],
  ['ALERTS', ['alertname', 'alertstate']],
]);
/** Values of labels, of all metrics or of one, whose set is known here. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  stage: [...STAGE_IDS, 'pipeline', 'process'],
  'pipeline_records_ended_total.outcome': ['acknowledged', 'dead-lettered', 'discarded'],
};

/** Each series that a scrape can have, with its labels. */
const series = new Map<string, readonly string[]>(OF_PROMETHEUS);

function addSeries(name: string, kind: string, labels: readonly string[]): void {
  if (kind !== 'histogram') series.set(name, labels);
  else {
    series.set(`${name}_bucket`, [...labels, 'le']);
    for (const part of ['sum', 'count']) series.set(`${name}_${part}`, labels);
  }
}

beforeAll(async () => {
  for (const { name, kind, labels } of ALL_METRICS) addSeries(name, kind, labels);
  // Those of the process, as the library makes them.
  const register = new Registry();
  collectDefaultMetrics({ register });
  const kinds = await register.getMetricsAsJSON();
  for (const { name, type } of kinds) {
    const { labelNames = [] } = register.getSingleMetric(name) as { labelNames?: string[] };
    addSeries(name, String(type), labelNames);
  }
});

/** What an expression names that no scrape has. */
function unknownIn(expr: string): string[] {
  const { metrics, grouping } = parsePromql(expr);
  const known = new Set(TARGET_LABELS);
  const problems = metrics.flatMap(({ name, matchers }) => {
    const labels = series.get(name);
    if (labels === undefined) return [`${name} is no metric`];
    for (const label of labels) known.add(label);
    return matchers.flatMap(({ label, value }) => {
      if (![...TARGET_LABELS, ...labels].includes(label)) return [`${name} has no label ${label}`];
      const values = VALUES[label] ?? VALUES[`${name}.${label}`];
      return (values === undefined ? [] : value.split('|'))
        .filter((one) => !values!.includes(one))
        .map((one) => `${label} is never ${one}`);
    });
  });
  const strangers = grouping.filter((label) => !known.has(label));
  return [...problems, ...strangers.map((label) => `no metric of it has a label ${label}`)];
}

describe('Alerts and dashboards', () => {
  it.each(deployedExpressions())('$where asks for what there is: $expr', ({ expr }) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  it.each(METRIC_QUERIES)('The documented query "$says" asks for what there is', ({ expr }) => {
    expect(unknownIn(expr)).toEqual([]);
  });

  it.each([
    ['rate(pipeline_no_such_total[5m])', 'pipeline_no_such_total is no metric'],
    ['pipeline_pressure_ratio{tenant="a"}', 'pipeline_pressure_ratio has no label tenant'],
    ['pipeline_pressure_ratio{stage="Sink"}', 'stage is never Sink'],
    ['pipeline_records_ended_total{outcome=~"lost|discarded"}', 'outcome is never lost'],
    ['sum by (topic) (pipeline_records_in_flight)', 'no metric of it has a label topic'],
    ['pipeline_record_seconds', 'pipeline_record_seconds is no metric'],
  ])('would not pass with %s', (expr, problem) => {
    expect(unknownIn(expr)).toEqual([problem]);
  });

  it('would not pass with what is no PromQL', () => {
    expect(() => unknownIn('sum(pipeline_records_in_flight')).toThrow('no PromQL');
  });

  it('are many enough to be worth this test', () => {
    expect(alertRules().length).toBeGreaterThan(10);
    expect(dashboards().flatMap(({ panels }) => panels).length).toBeGreaterThan(30);
  });

  it('show on a dashboard every metric of ours that an alert asks for', () => {
    const names = (exprs: string[]): Set<string> =>
      new Set(exprs.flatMap((expr) => parsePromql(expr).metrics.map(({ name }) => name)));
    const ofAlerts = names(alertRules().map(({ expr }) => expr));
    const shown = names(
      deployedExpressions().flatMap(({ where, expr }) => (where.includes('.json') ? [expr] : [])),
    );
    const missing = [...ofAlerts].filter(
      (name) => name.startsWith('pipeline_') && !shown.has(name),
    );
    expect(missing).toEqual([]);
  });
});
