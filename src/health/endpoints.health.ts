import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { DestinationsHealthIndicator } from './destinations.health.js';
import { KafkaSourceHealthIndicator } from './kafka-source.health.js';
import { PausesHealthIndicator } from './pauses.health.js';

/** Where records come from and where they go, as far as these have connections of their own, and what of it is paused. */
@Injectable()
export class EndpointsHealthIndicator {
  constructor(
    private readonly source: KafkaSourceHealthIndicator,
    private readonly destinations: DestinationsHealthIndicator,
    private readonly pauses: PausesHealthIndicator,
  ) {}

  /** Checks of the readiness. */
  notFailed(): (() => HealthIndicatorResult)[] {
    return [...this.source.notFailed(), ...this.destinations.notFailed()];
  }

  inDetail(): (() => HealthIndicatorResult)[] {
    return [
      ...this.source.inDetail(),
      ...this.destinations.inDetail(),
      () => this.pauses.nothingPaused(),
    ];
  }
}
