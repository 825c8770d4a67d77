import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { BackPressureController } from './back-pressure-controller.js';
import type { Level } from './pressure.js';

const WORDS: Readonly<Record<Level, string>> = {
  healthy: 'HEALTHY',
  moderate: 'MODERATE PRESSURE',
  high: 'HIGH PRESSURE',
  critical: 'CRITICAL PRESSURE',
};

/** The pipeline's pressure as a health check. Pressure alone is never `down`: critical is `degraded`, which is served. */
@Injectable()
export class BackPressureHealthIndicator {
  constructor(
    private readonly controller: BackPressureController,
    private readonly health: HealthIndicatorService,
  ) {}

  check<Key extends string>(key: Key): HealthIndicatorResult<Key> {
    const { level, stages, ...status } = this.controller.getPipelineStatus();
    const session = this.health.check(key);
    const data = {
      ...status,
      level: WORDS[level],
      stages: stages.map((stage) => ({ ...stage, level: WORDS[stage.level] })),
    };
    return level === 'critical' ? session.degraded(data) : session.up(data);
  }
}
