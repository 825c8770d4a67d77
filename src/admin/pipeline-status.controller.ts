import { Controller, Get } from '@nestjs/common';
import { Conservation, type ConservationReport } from '../ledger/conservation.js';
import { AdminOnly } from './admin-only.js';
import { DescribeAdmin } from './admin.openapi.js';
import { withDatabase } from './admin-problem.js';
import { PauseDesk } from './pause-desk.js';
import {
  CONSERVATION_EXAMPLE,
  conservationSchema,
  pipelineSchema,
  STATUS_EXAMPLE,
} from './pipeline-status.schema.js';
import { type ReplicaStatus, StatusReader } from './status-reader.js';

/** How far a drain that an operator has asked for is. */
interface DrainStatus {
  readonly requestedAt: string | null;
  readonly by: string | null;
  /** Accepted by any replica and not terminal yet, and what this replica has of Kafka. */
  readonly inFlight: number | null;
  readonly isEmpty: boolean;
}

interface AdminStatus extends ReplicaStatus {
  /** Null while no drain is asked for. */
  readonly drain: DrainStatus | null;
  /** Null while the database can't be asked. */
  readonly conservation: ConservationReport | null;
}

@AdminOnly()
@Controller('v1/admin')
export class PipelineStatusController {
  constructor(
    private readonly status: StatusReader,
    private readonly conservation: Conservation,
    private readonly desk: PauseDesk,
  ) {}

  @Get('pipeline')
  @DescribeAdmin({
    summary: 'Pressure, credits and bottleneck, and whether every record is accounted for.',
    answer: {
      description: 'The state of this replica; conservation is of the whole database.',
      schema: pipelineSchema,
      example: STATUS_EXAMPLE,
    },
  })
  async pipeline(): Promise<AdminStatus> {
    // Before the rest: credits come back after the books have an end, so the later look has both.
    const conservation = await this.readConservation();
    const status = this.status.read();
    return { ...status, drain: this.drainWith(status, conservation), conservation };
  }

  @Get('conservation')
  @DescribeAdmin({
    summary: 'Whether every accepted record is accounted for.',
    answer: {
      description: 'Of the whole database since its beginning, in one snapshot.',
      schema: conservationSchema,
      example: CONSERVATION_EXAMPLE,
    },
    problems: [503],
  })
  report(): Promise<ConservationReport> {
    return withDatabase(() => this.conservation.read());
  }

  private drainWith(
    { inFlight }: ReplicaStatus,
    conservation: ConservationReport | null,
  ): DrainStatus | null {
    const { drain, since: requestedAt, by } = this.desk.status('pipeline');
    if (!drain) return null;
    const all = conservation === null ? null : Math.max(inFlight, conservation.inFlight);
    return { requestedAt, by, inFlight: all, isEmpty: all === 0 };
  }

  private async readConservation(): Promise<ConservationReport | null> {
    try {
      return await this.conservation.read();
    } catch {
      // The database is away, which `closed` says; the rest of the status is most wanted then.
      return null;
    }
  }
}
