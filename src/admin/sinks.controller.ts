import { Controller, Get } from '@nestjs/common';
import { z } from 'zod';
import { Destinations, type DestinationStatus } from '../pipeline/destinations.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { AdminOnly } from './admin-only.js';
import { DescribeAdmin } from './admin.openapi.js';

interface SinkStatus extends Partial<Omit<DestinationStatus, 'name'>> {
  /** As the books name it. */
  readonly name: string;
  readonly paused: boolean;
}

const sinksSchema = z.array(z.looseObject({ name: z.string(), paused: z.boolean() }));

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
      example: [{ name: 'postgres', paused: false }],
    },
  })
  sinks(): readonly SinkStatus[] {
    const { pauses } = this.runtime;
    const states = new Map(this.destinations.all().map((status) => [status.name, status]));
    return pauses.sinks().map((name) => ({
      ...states.get(name),
      name,
      paused: pauses.isSinkPaused(name),
    }));
  }
}
