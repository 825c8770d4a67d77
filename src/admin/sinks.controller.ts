import { Controller, Get } from '@nestjs/common';
import {
  Destinations,
  type DestinationStatus,
  type GuardSnapshot,
} from '../pipeline/destination/destinations.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { AdminOnly } from './admin-only.js';
import { DescribeAdmin } from './admin.openapi.js';
import { SINKS_EXAMPLE, sinksSchema } from './endpoints.schema.js';

/** The times of calls are for `/metrics`. */
type GuardStatus = Omit<GuardSnapshot, 'callTimes'>;

interface SinkStatus extends Partial<Omit<DestinationStatus, 'name' | 'guard'>> {
  readonly guard?: GuardStatus;
  /** As the books name it. */
  readonly name: string;
  readonly paused: boolean;
}

@AdminOnly()
@Controller('v1/admin')
export class SinksController {
  constructor(
    private readonly runtime: StageRuntime,
    private readonly destinations: Destinations,
  ) {}

  @Get('sinks')
  @DescribeAdmin({
    summary: 'Where records go, and whether deliveries are paused.',
    answer: {
      description: 'Of this replica; a destination with a connection of its own shows its state.',
      schema: sinksSchema,
      example: SINKS_EXAMPLE,
    },
  })
  sinks(): readonly SinkStatus[] {
    const { pauses } = this.runtime;
    const states = new Map(this.destinations.all().map((status) => [status.name, status]));
    return pauses.sinks().map((name) => ({
      ...shownOf(states.get(name)),
      name,
      paused: pauses.isSinkPaused(name),
    }));
  }
}

function shownOf(status: DestinationStatus | undefined): Omit<SinkStatus, 'paused'> | undefined {
  if (status === undefined) return undefined;
  const { callTimes: _, ...guard } = status.guard;
  return { ...status, guard };
}
