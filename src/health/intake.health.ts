import { Inject, Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import { isExactlyOnce } from '../config/exactly-once.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { Intake } from '../pipeline/intake.js';
import { offersRest } from '../pipeline/source-definition.js';

/** Whether this replica can take what its sources bring. */
@Injectable()
export class IntakeHealthIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly intake: Intake,
    @Inject(PIPELINE_DEFINITION) private readonly definition: AnyPipelineDefinition,
    @Inject(APP_OPTIONS) private readonly options: Pick<AppOptions, 'kafka'>,
  ) {}

  /**
   * Whether a record could be accepted durably now; degraded while an operator has paused it. The partitions are needed
   * for REST only, so that another replica has them counts where the pipeline takes records by it.
   */
  intakeOpen(): HealthIndicatorResult<'intake'> {
    const session = this.health.check('intake');
    const reasons = this.intake.all();
    const takesRest = offersRest(this.definition.sources) && !isExactlyOnce(this.options);
    const counting = takesRest
      ? reasons
      : reasons.filter(({ reason }) => reason !== 'partitions-elsewhere');
    const [closed] = counting;
    if (closed === undefined) return session.up();
    const shown = {
      reason: closed.reason,
      message: closed.detail,
      reasons: counting.map(({ reason }) => reason),
      since: new Date(closed.sinceMs).toISOString(),
    };
    // What an operator wants is no failure: roll-outs go on. The last reason that counts, so it is the only one.
    return closed.reason === 'paused' ? session.degraded(shown) : session.down(shown);
  }
}
