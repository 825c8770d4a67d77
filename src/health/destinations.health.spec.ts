import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { makeGuard } from '../../test/support/guard.js';
import {
  Destinations,
  type DestinationState,
  type DestinationStatus,
} from '../pipeline/destination/destinations.js';
import { DestinationsHealthIndicator } from './destinations.health.js';

const producer = {
  queuedRecords: 3,
  queuedBytes: 300,
  recordCapacity: 1000,
  byteCapacity: 1_000_000,
  partitions: 4,
  unplaced: 0,
  lanes: { sending: 1, held: 2, late: 0 },
  acknowledged: 5,
  failed: 0,
  sends: 2,
  failedSends: 1,
  lateAnswers: 1,
};

function indicatorOf(
  state: DestinationState,
  detail?: string,
  more: Partial<DestinationStatus> = {},
): DestinationsHealthIndicator {
  const destinations = new Destinations();
  const guard = makeGuard().snapshot();
  const common = { name: 'kafka', kind: 'sink', topic: 'out', guard, producer } as const;
  destinations.add(() => ({ ...common, state, detail, ...more }));
  return new DestinationsHealthIndicator(new HealthIndicatorService(), destinations);
}

const statusOf = (checks: (() => HealthIndicatorResult)[]): string[] =>
  checks.map((check) => check()['sink-kafka']!.status);

describe('DestinationsHealthIndicator', () => {
  it.each<[DestinationState, string, string]>([
    ['ready', 'up', 'up'],
    ['connecting', 'up', 'degraded'],
    ['busy', 'up', 'degraded'],
    ['away', 'up', 'degraded'],
    ['stopped', 'up', 'degraded'],
    ['failed', 'down', 'down'],
  ])('shows a sink that is %s as %s in the readiness and %s in detail', (state, ready, detail) => {
    const indicator = indicatorOf(state);
    expect(statusOf(indicator.notFailed())).toEqual([ready]);
    expect(statusOf(indicator.inDetail())).toEqual([detail]);
  });

  it('never fails for a sink that is not required, and says what became of its records', () => {
    const bestEffort = { delivered: 1, skipped: 2, givenUp: 3 };
    const indicator = indicatorOf('failed', undefined, { bestEffort });
    expect(statusOf(indicator.notFailed())).toEqual(['up']);
    expect(indicator.inDetail()[0]!()).toMatchObject({
      'sink-kafka': { status: 'degraded', bestEffort },
    });
  });

  it('says why, and what is in the producer', () => {
    const indicator = indicatorOf('away', 'No broker answers.');
    const [ready] = indicator.notFailed();
    const [detail] = indicator.inDetail();
    const common = { name: 'kafka', topic: 'out', state: 'away', message: 'No broker answers.' };
    expect(ready!()).toEqual({ 'sink-kafka': { status: 'up', ...common } });
    expect(detail!()).toEqual({
      'sink-kafka': {
        status: 'degraded',
        ...common,
        breaker: 'closed',
        gateClosedForMs: 0,
        retryBudget: 30,
        abandoned: 0,
        queuedRecords: 3,
        recordCapacity: 1000,
        queuedBytes: 300,
        byteCapacity: 1_000_000,
        partitions: 4,
        unplaced: 0,
        lanes: { sending: 1, held: 2, late: 0 },
        lateAnswers: 1,
      },
    });
  });

  it('shows the egress as a check of its own', () => {
    const destinations = new Destinations();
    const guard = makeGuard().snapshot();
    const egress = { name: 'egress', kind: 'egress', guard } as const;
    destinations.add(() => ({ ...egress, state: 'away', detail: 'Calls fail.' }));
    const indicator = new DestinationsHealthIndicator(new HealthIndicatorService(), destinations);
    expect(indicator.notFailed()[0]!()).toEqual({
      egress: { status: 'up', name: 'egress', state: 'away', message: 'Calls fail.' },
    });
    expect(indicator.inDetail()[0]!()).toMatchObject({ egress: { status: 'degraded' } });
  });

  it('has no check without such a destination', () => {
    const indicator = new DestinationsHealthIndicator(
      new HealthIndicatorService(),
      new Destinations(),
    );
    expect([...indicator.notFailed(), ...indicator.inDetail()]).toEqual([]);
  });
});
