import { Injectable } from '@nestjs/common';
import { Destinations } from '../pipeline/destination/destinations.js';
import { BEST_EFFORT_METRICS } from './best-effort-metric-definitions.js';
import { CopiedMetric, type Sample } from './copied-metric.js';

/** What became of the records for sinks that are not required. */
@Injectable()
export class BestEffortMetrics {
  constructor(private readonly destinations: Destinations) {
    new CopiedMetric(BEST_EFFORT_METRICS.records, () => this.records());
  }

  private records(): Sample[] {
    return this.destinations.all().flatMap(({ name: destination, bestEffort }) => {
      if (bestEffort === undefined) return [];
      const { delivered, givenUp, skipped } = bestEffort;
      return Object.entries({ delivered, 'given-up': givenUp, skipped }).map(
        ([outcome, value]) => ({ labels: { destination, outcome }, value }),
      );
    });
  }
}
