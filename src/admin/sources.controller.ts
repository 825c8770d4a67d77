import { Controller, Get, Inject, Optional, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { KafkaSource, type KafkaSourceSnapshot } from '#libs/kafka';
import { AdminGuard } from './admin.guard.js';

interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly incarnation: number;
  /** Every record below has ended; null until the books are read. */
  readonly low: string | null;
  /** The record that comes next. */
  readonly next: string | null;
  readonly inFlight: number;
  readonly lagRecords: number;
  readonly committedLagRecords: number;
  readonly lagSeconds: number;
  /** True when the real lag may be longer than `lagSeconds`. */
  readonly isAtLeast: boolean;
  readonly pausedFor: readonly string[];
  readonly pausedMs: number;
}

interface SourceStatus extends Pick<
  KafkaSourceSnapshot,
  'state' | 'inFlight' | 'waitingBytes' | 'counters'
> {
  readonly name: 'kafka';
  /** Why it does not run. */
  readonly detail: string | null;
  readonly partitions: readonly PartitionStatus[];
}

@ApiTags('admin')
@ApiBearerAuth('admin')
@UseGuards(AdminGuard)
@Controller('v1/admin')
export class SourcesController {
  constructor(@Optional() @Inject(KafkaSource) private readonly source: KafkaSource | undefined) {}

  @Get('sources')
  @ApiOperation({
    summary: 'Sources that fetch by themselves: their partitions at this replica, and their lag.',
  })
  @ApiOkResponse({ description: 'Empty when records come by REST only.' })
  sources(): readonly SourceStatus[] {
    return this.source === undefined ? [] : [statusOf(this.source)];
  }
}

function statusOf(source: KafkaSource): SourceStatus {
  const { state, detail, inFlight, waitingBytes, partitions, counters } = source.snapshot();
  const lags = new Map(source.lag().map((lag) => [`${lag.topic}:${lag.partition}`, lag]));
  return {
    name: 'kafka',
    state,
    detail: detail ?? null,
    inFlight,
    waitingBytes,
    partitions: partitions.map(({ topic, partition, incarnation, low, next, ...rest }) => {
      const lag = lags.get(`${topic}:${partition}`);
      return {
        topic,
        partition,
        incarnation,
        low: low === undefined ? null : `${low}`,
        next: next === undefined ? null : `${next}`,
        inFlight: rest.inFlight,
        lagRecords: lag?.records ?? 0,
        committedLagRecords: lag?.committedRecords ?? 0,
        lagSeconds: lag?.seconds ?? 0,
        isAtLeast: lag?.isAtLeast ?? true,
        pausedFor: rest.pausedFor,
        pausedMs: rest.pausedMs,
      };
    }),
    counters,
  };
}
