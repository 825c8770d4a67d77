import { Injectable } from '@nestjs/common';
import type { HealthIndicatorResult } from '@nestjs/terminus';
import { DestinationsHealthIndicator } from './destinations.health.js';
import { IntakeHealthIndicator } from './intake.health.js';
import { KafkaSourceHealthIndicator } from './kafka-source.health.js';
import { PausesHealthIndicator } from './pauses.health.js';

/** Where records come from and where they go, and what of it is paused. */
@Injectable()
export class EndpointsHealthIndicator {
  constructor(
    private readonly intake: IntakeHealthIndicator,
    private readonly source: KafkaSourceHealthIndicator,
    private readonly destinations: DestinationsHealthIndicator,
    private readonly pauses: PausesHealthIndicator,
  ) {}

  /** Checks of the readiness. */
  notFailed(): (() => HealthIndicatorResult)[] {
    return [
      () => this.intake.intakeOpen(),
      ...this.source.notFailed(),
      ...this.destinations.notFailed(),
    ];
  }

  inDetail(): (() => HealthIndicatorResult)[] {
    return [
      () => this.intake.intakeOpen(),
      ...this.source.inDetail(),
      ...this.destinations.inDetail(),
      () => this.pauses.nothingPaused(),
    ];
  }
}
