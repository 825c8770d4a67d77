import { Gauge, type MetricObjectWithValues, type MetricType, register } from 'prom-client';
import type { LatencyHistogram } from '#libs/flow-control';
import type { MetricDefinition } from './metric-definitions.js';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Only where it differs from the metric's: the parts of a histogram. */
  readonly metricName?: string;
}

type Collected = MetricObjectWithValues<{ labels: Record<string, string>; value: number }>;

/**
 * A metric whose values are kept elsewhere, in plain fields, and copied at a scrape: nothing of Prometheus' library runs
 * per record. It registers as a Gauge and answers with its own kind.
 */
export class CopiedMetric extends Gauge {
  constructor(
    private readonly definition: MetricDefinition,
    private readonly read: () => Iterable<Sample>,
  ) {
    const { name, help, labels } = definition;
    super({ name, help, labelNames: [...labels], registers: [register] });
  }

  override get(): Promise<Collected> {
    const { name, help, kind } = this.definition;
    return Promise.resolve({
      name,
      help,
      // The library's own type says a number here; what it writes and reads is this word.
      type: kind as unknown as MetricType,
      aggregator: 'sum',
      collect: () => undefined,
      values: Array.from(this.read(), (sample) => ({ ...sample, labels: { ...sample.labels } })),
    });
  }
}

/** 1, 2 and 5 of each decade: the bounds of a histogram's ten a decade that are written out. */
const WRITTEN_MANTISSAS = /^[125]0*$/;
const LOWEST_WRITTEN_MS = 1;
const MS_PER_SECOND = 1000;

/** The buckets, sum and count of a histogram, in seconds. */
export function* histogramSamples(
  name: string,
  histogram: LatencyHistogram,
  labels: Readonly<Record<string, string>> = {},
): Iterable<Sample> {
  const counts = histogram.counts();
  const metricName = `${name}_bucket`;
  for (const [i, boundMs] of histogram.boundsMs.entries()) {
    if (boundMs < LOWEST_WRITTEN_MS || !WRITTEN_MANTISSAS.test(String(boundMs))) continue;
    const le = String(boundMs / MS_PER_SECOND);
    yield { metricName, labels: { ...labels, le }, value: counts[i] ?? 0 };
  }
  yield { metricName, labels: { ...labels, le: '+Inf' }, value: histogram.count };
  yield { metricName: `${name}_sum`, labels, value: histogram.sumMs / MS_PER_SECOND };
  yield { metricName: `${name}_count`, labels, value: histogram.count };
}
