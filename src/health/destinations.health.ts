import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import type { KafkaSinkSnapshot } from '#libs/kafka';
import {
  Destinations,
  type DestinationStatus,
  type GuardSnapshot,
} from '../pipeline/destination/destinations.js';

/** Whether the destinations can be delivered to: a check `egress`, and a check `sink-<name>` for each sink. */
@Injectable()
export class DestinationsHealthIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly destinations: Destinations,
  ) {}

  /** Checks of the readiness: only what an operator has to change makes it fail, since records of an outage wait. */
  notFailed(): (() => HealthIndicatorResult)[] {
    return this.destinations.all().map((status) => () => {
      const session = this.health.check(checkOf(status));
      return hasFailed(status) ? session.down(shownOf(status)) : session.up(shownOf(status));
    });
  }

  /** The same in full; degraded while records wait. */
  inDetail(): (() => HealthIndicatorResult)[] {
    return this.destinations.all().map((status) => () => {
      const session = this.health.check(checkOf(status));
      if (hasFailed(status)) return session.down(detailOf(status));
      return status.state === 'ready'
        ? session.up(detailOf(status))
        : session.degraded(detailOf(status));
    });
  }
}

/** Nobody waits for a sink that is not required. */
function hasFailed({ state, bestEffort }: DestinationStatus): boolean {
  return state === 'failed' && bestEffort === undefined;
}

function checkOf({ name, kind }: DestinationStatus): string {
  return kind === 'egress' ? 'egress' : `sink-${name}`;
}

function shownOf({ name, topic, state, detail }: DestinationStatus) {
  return {
    name,
    ...(topic !== undefined && { topic }),
    state,
    ...(detail !== undefined && { message: detail }),
  };
}

function detailOf(status: DestinationStatus) {
  const { guard, producer, bestEffort } = status;
  return {
    ...shownOf(status),
    ...guardDetailOf(guard),
    ...(bestEffort !== undefined && { bestEffort }),
    ...(producer !== undefined && producerDetailOf(producer)),
  };
}

function guardDetailOf({ breaker, gateClosedForMs, budget, abandoned }: GuardSnapshot) {
  return {
    breaker: breaker.state,
    gateClosedForMs: Math.round(gateClosedForMs),
    retryBudget: budget.available,
    abandoned,
  };
}

function producerDetailOf(producer: KafkaSinkSnapshot) {
  const { queuedRecords, recordCapacity, queuedBytes, byteCapacity } = producer;
  const { partitions, unplaced, lanes, lateAnswers } = producer;
  return {
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
