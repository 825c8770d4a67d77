import { Inject, Injectable, Optional } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { KafkaSource } from '#libs/kafka';

/** Whether records can come from Kafka. */
@Injectable()
export class KafkaSourceHealthIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    @Optional() @Inject(KafkaSource) private readonly source: KafkaSource | undefined,
  ) {}

  /** Checks of the readiness: topics that are not as configured fail it; a broker that is away does not, as REST goes on. */
  notFailed(): (() => HealthIndicatorResult<'kafka'>)[] {
    const { source } = this;
    if (source === undefined) return [];
    return [
      () => {
        const session = this.health.check('kafka');
        const { state, detail } = source.snapshot();
        const shown = { state, ...(detail !== undefined && { message: detail }) };
        return state === 'failed' ? session.down(shown) : session.up(shown);
      },
    ];
  }

  /** The same in full; degraded while no records can come. */
  inDetail(): (() => HealthIndicatorResult<'kafka'>)[] {
    const { source } = this;
    if (source === undefined) return [];
    return [
      () => {
        const session = this.health.check('kafka');
        const shown = detailOf(source);
        if (shown.state === 'failed') return session.down(shown);
        return shown.state === 'running' ? session.up(shown) : session.degraded(shown);
      },
    ];
  }
}

function detailOf(source: KafkaSource) {
  const { state, detail, inFlight, partitions } = source.snapshot();
  const lag = source.lag();
  return {
    state,
    ...(detail !== undefined && { message: detail }),
    partitions: partitions.length,
    pausedPartitions: partitions.filter(({ pausedFor }) => pausedFor.length > 0).length,
    inFlight,
    lagRecords: lag.reduce((sum, { records }) => sum + records, 0),
    lagSeconds: Math.max(0, ...lag.map(({ seconds }) => seconds)),
  };
}
