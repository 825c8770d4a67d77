import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { StageRuntime } from '../pipeline/stage-runtime.js';

/** What operators hold back. It never fails a check: it is what they want. */
@Injectable()
export class PausesHealthIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly runtime: StageRuntime,
  ) {}

  nothingPaused(): HealthIndicatorResult<'pauses'> {
    const session = this.health.check('pauses');
    const paused = this.runtime.pauses.all();
    return paused.length === 0 ? session.up() : session.degraded({ paused });
  }
}
