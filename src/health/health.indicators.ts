import { Inject, Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { SERVICE_OPTIONS, type ServiceOptions } from '../config/service.options.js';
import { PipelineLifecycle } from '../pipeline/pipeline.lifecycle.js';
import { SUSTAINED_AFTER_MS, SustainedPressure } from './sustained-pressure.js';

/** The questions about this replica, one check each. */
@Injectable()
export class HealthIndicators {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly lifecycle: PipelineLifecycle,
    private readonly sustained: SustainedPressure,
    @Inject(SERVICE_OPTIONS) private readonly options: ServiceOptions,
  ) {}

  /** Whether callers should be sent here: running, and neither stopping nor about to. */
  lifecycleRunning(): HealthIndicatorResult<'lifecycle'> {
    const session = this.health.check('lifecycle');
    const { state } = this.lifecycle;
    return state === 'running' ? session.up({ state }) : session.down({ state });
  }

  /** Whether the start is over, whatever came after it. */
  started(): HealthIndicatorResult<'startup'> {
    const session = this.health.check('startup');
    const { state } = this.lifecycle;
    return state === 'starting' ? session.down({ state }) : session.up({ state });
  }

  /** Down only with READINESS_PRESSURE_POLICY=sustained. */
  pressureBearable(): HealthIndicatorResult<'pressure'> {
    const session = this.health.check('pressure');
    const policy = this.options.readinessPressurePolicy;
    const criticalForMs = Math.round(this.sustained.criticalForMs());
    const isTooLong = policy === 'sustained' && criticalForMs >= SUSTAINED_AFTER_MS;
    return isTooLong
      ? session.down({ policy, criticalForMs })
      : session.up({ policy, criticalForMs });
  }
}
