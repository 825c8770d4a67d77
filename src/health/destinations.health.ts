import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Destinations, type DestinationStatus } from '../pipeline/destinations.js';

/** Whether the destinations that have a connection of their own can be delivered to. */
@Injectable()
export class DestinationsHealthIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly destinations: Destinations,
  ) {}

  /** Checks of the readiness: only what an operator has to change makes it fail, since records of an outage wait. */
  notFailed(): (() => HealthIndicatorResult<'sink'>)[] {
    return this.destinations.all().map((status) => () => {
      const { name, topic, state, detail } = status;
      const shown = { name, topic, state, ...(detail !== undefined && { message: detail }) };
      const session = this.health.check('sink');
      return state === 'failed' ? session.down(shown) : session.up(shown);
    });
  }

  /** The same in full; degraded while records wait. */
  inDetail(): (() => HealthIndicatorResult<'sink'>)[] {
    return this.destinations.all().map((status) => () => {
      const session = this.health.check('sink');
      if (status.state === 'failed') return session.down(detailOf(status));
      return status.state === 'ready'
        ? session.up(detailOf(status))
        : session.degraded(detailOf(status));
    });
  }
}

function detailOf({ name, topic, state, detail, producer }: DestinationStatus) {
  const { queuedRecords, recordCapacity, queuedBytes, byteCapacity } = producer;
  const { partitions, unplaced, lanes, lateAnswers } = producer;
  return {
    name,
    topic,
    state,
    ...(detail !== undefined && { message: detail }),
    queuedRecords,
    recordCapacity,
    queuedBytes,
    byteCapacity,
    partitions,
    unplaced,
    lanes,
    lateAnswers,
  };
}
