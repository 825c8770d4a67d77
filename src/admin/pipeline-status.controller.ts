import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { BackPressureController, type PipelineStatus } from '#libs/back-pressure';
import { instanceOf } from '../config/instance.js';
import { SERVICE_OPTIONS, type ServiceOptions } from '../config/service.options.js';
import { Conservation, type ConservationReport } from '../ledger/conservation.js';
import type { ClosedReason } from '../pipeline/intake.js';
import { Intake } from '../pipeline/intake.js';
import { PipelineLifecycle, type PipelineState } from '../pipeline/pipeline.lifecycle.js';
import { AdminGuard } from './admin.guard.js';

interface AdminStatus extends PipelineStatus {
  readonly instance: string;
  /** `closed` while records can't be accepted though the pipeline runs. */
  readonly state: PipelineState | 'closed';
  readonly closed: { readonly reason: ClosedReason; readonly detail: string } | null;
  /** Null while the database can't be asked. */
  readonly conservation: ConservationReport | null;
}

@ApiTags('admin')
@ApiBearerAuth('admin')
@UseGuards(AdminGuard)
@Controller('v1/admin')
export class PipelineStatusController {
  constructor(
    private readonly pressure: BackPressureController,
    private readonly lifecycle: PipelineLifecycle,
    private readonly intake: Intake,
    private readonly conservation: Conservation,
    @Inject(SERVICE_OPTIONS) private readonly options: ServiceOptions,
  ) {}

  @Get('pipeline')
  @ApiOperation({
    summary: 'Pressure, credits and bottleneck, and whether every record is accounted for.',
  })
  @ApiOkResponse({
    description: 'The state of this replica; conservation is of the whole database.',
  })
  async pipeline(): Promise<AdminStatus> {
    // Before the rest: credits come back after the books have an end, so the later look has both.
    const conservation = await this.readConservation();
    const { closed } = this.intake;
    const { state } = this.lifecycle;
    return {
      instance: instanceOf(this.options),
      state: state === 'running' && closed !== undefined ? 'closed' : state,
      closed: closed === undefined ? null : { reason: closed.reason, detail: closed.detail },
      ...this.pressure.getPipelineStatus(),
      conservation,
    };
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
