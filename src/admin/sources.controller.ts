import { Controller, Get, Inject, Optional } from '@nestjs/common';
import { KafkaSource, type KafkaSourceSnapshot } from '#libs/kafka';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { AdminOnly } from './admin-only.js';
import { DescribeAdmin } from './admin.openapi.js';
import { SOURCES_EXAMPLE, sourcesSchema } from './endpoints.schema.js';

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

interface RestStatus {
  readonly name: 'rest';
  readonly paused: boolean;
}

interface KafkaStatus extends Pick<
  KafkaSourceSnapshot,
  'state' | 'inFlight' | 'waitingBytes' | 'counters'
> {
  readonly name: 'kafka';
  readonly paused: boolean;
  /** Why it does not run. */
  readonly detail: string | null;
  readonly partitions: readonly PartitionStatus[];
}

@AdminOnly()
@Controller('v1/admin')
export class SourcesController {
  constructor(
    private readonly runtime: StageRuntime,
    @Optional() @Inject(KafkaSource) private readonly source: KafkaSource | undefined,
  ) {}

  @Get('sources')
  @DescribeAdmin({
    summary: 'Where records come from, and what Kafka brings: partitions and their lag.',
    answer: {
      description: 'Of this replica; Kafka is absent when records come by REST only.',
      schema: sourcesSchema,
      example: SOURCES_EXAMPLE,
    },
  })
  sources(): readonly (RestStatus | KafkaStatus)[] {
    const { pauses } = this.runtime;
    const rest: RestStatus = { name: 'rest', paused: pauses.isSourcePaused('rest') };
    if (this.source === undefined) return [rest];
    return [rest, statusOf(this.source, pauses.isSourcePaused('kafka'))];
  }
}

function statusOf(source: KafkaSource, paused: boolean): KafkaStatus {
  const { state, detail, inFlight, waitingBytes, partitions, counters } = source.snapshot();
  const lags = new Map(source.lag().map((lag) => [`${lag.topic}:${lag.partition}`, lag]));
  return {
    name: 'kafka',
    paused,
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
