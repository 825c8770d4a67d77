import { Injectable } from '@nestjs/common';
import { Destinations, type DestinationStatus } from '../pipeline/destination/destinations.js';
import { CopiedMetric, histogramSamples, type Sample } from './copied-metric.js';
import { DESTINATION_METRICS } from './destination-metric-definitions.js';

type Readers = Readonly<Record<keyof typeof DESTINATION_METRICS, () => Iterable<Sample>>>;

const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;
const MS_PER_SECOND = 1000;

/** What the guards of the destinations have seen, copied at a scrape. */
@Injectable()
export class DestinationMetrics {
  constructor(private readonly destinations: Destinations) {
    const readers: Readers = {
      destinationReady: this.each(({ state }) => Number(state === 'ready')),
      breakerState: this.eachOf('state', ({ guard }) =>
        Object.fromEntries(
          BREAKER_STATES.map((state) => [state, Number(guard.breaker.state === state)]),
        ),
      ),
      breakerOpened: this.each(({ guard }) => guard.breaker.opened),
      gateClosed: this.each(({ guard }) => guard.gateClosedForMs / MS_PER_SECOND),
      retryBudget: this.each(({ guard }) => guard.budget.available),
      failedAttempts: this.eachOf('outcome', ({ guard }) => guard.failedAttempts),
      calls: this.eachOf('outcome', ({ guard }) => guard.calls),
      callSeconds: () => this.callSeconds(),
      abandonedCalls: this.each(({ guard }) => guard.abandoned),
      abandonedIn: this.each(({ guard }) => guard.abandonedTotal),
      abandonedOut: this.each(({ guard }) => guard.abandonedEnded),
    };
    for (const [name, definition] of Object.entries(DESTINATION_METRICS)) {
      new CopiedMetric(definition, readers[name as keyof typeof DESTINATION_METRICS]);
    }
  }

  private each(value: (status: DestinationStatus) => number): () => Sample[] {
    return () =>
      this.destinations.all().map((status) => {
        return { labels: { destination: status.name }, value: value(status) };
      });
  }

  /** One sample for each value of a further label. */
  private eachOf(
    label: string,
    values: (status: DestinationStatus) => Readonly<Record<string, number>>,
  ): () => Sample[] {
    return () =>
      this.destinations.all().flatMap((status) =>
        Object.entries(values(status)).map(([word, value]) => {
          return { labels: { destination: status.name, [label]: word }, value };
        }),
      );
  }

  private *callSeconds(): Iterable<Sample> {
    const { name } = DESTINATION_METRICS.callSeconds;
    for (const { name: destination, guard } of this.destinations.all()) {
      yield* histogramSamples(name, guard.callTimes, { destination });
    }
  }
}
