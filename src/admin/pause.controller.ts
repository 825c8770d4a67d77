import { Controller, HttpCode, Param, Post } from '@nestjs/common';
import { AdminOnly } from './admin-only.js';
import { DescribeAdmin } from './admin.openapi.js';
import { ByOperator, type Operator } from './operator.js';
import { PauseDesk, type PauseStatus } from './pause-desk.js';
import { PAUSED_EXAMPLE, pauseStatusSchema, RESUMED_EXAMPLE } from './pause.schema.js';

const IN_FORCE =
  'In force here; on every replica within MONITORING_INTERVAL_MS, and until resumed.';

/** Documents one of the routes that pause or resume. */
function Describe(summary: string, target: string, params?: Readonly<Record<string, string>>) {
  const isResume = summary.startsWith('Resumes');
  const example = { ...(isResume ? RESUMED_EXAMPLE : PAUSED_EXAMPLE), target };
  return DescribeAdmin({
    summary,
    answer: { description: IN_FORCE, schema: pauseStatusSchema, example },
    ...(params !== undefined && { params }),
    problems: params === undefined ? [503] : [404, 503],
  });
}

@AdminOnly()
@Controller('v1/admin')
export class PauseController {
  constructor(private readonly desk: PauseDesk) {}

  @Post('pipeline/pause')
  @HttpCode(200)
  @Describe('Pauses every source; what is inside goes on.', 'pipeline')
  pausePipeline(@ByOperator() operator: Operator): Promise<PauseStatus> {
    return this.desk.pause('pipeline', operator);
  }

  @Post('pipeline/resume')
  @HttpCode(200)
  @Describe('Resumes after a pause or a drain of the pipeline.', 'pipeline')
  resumePipeline(@ByOperator() operator: Operator): Promise<PauseStatus> {
    return this.desk.resume('pipeline', operator);
  }

  @Post('pipeline/drain')
  @HttpCode(202)
  @DescribeAdmin({
    summary:
      'Pauses every source in order to empty the pipeline; GET /v1/admin/pipeline shows when it is.',
    answer: {
      status: 202,
      description: 'Begun.',
      schema: pauseStatusSchema,
      example: { ...PAUSED_EXAMPLE, drain: true },
    },
    problems: [503],
  })
  drainPipeline(@ByOperator() operator: Operator): Promise<PauseStatus> {
    return this.desk.drain(operator);
  }

  @Post('sources/:name/pause')
  @HttpCode(200)
  @Describe('Pauses one source.', 'source:rest', { name: 'rest' })
  pauseSource(@Param('name') name: string, @ByOperator() operator: Operator): Promise<PauseStatus> {
    return this.desk.pause(this.desk.source(name), operator);
  }

  @Post('sources/:name/resume')
  @HttpCode(200)
  @Describe('Resumes one source; a pause of the pipeline stays.', 'source:rest', { name: 'rest' })
  resumeSource(
    @Param('name') name: string,
    @ByOperator() operator: Operator,
  ): Promise<PauseStatus> {
    return this.desk.resume(this.desk.source(name), operator);
  }

  @Post('sinks/:name/pause')
  @HttpCode(200)
  @Describe(
    'Pauses the deliveries to one sink; records wait with their credits.',
    'sink:postgres',
    {
      name: 'postgres',
    },
  )
  pauseSink(@Param('name') name: string, @ByOperator() operator: Operator): Promise<PauseStatus> {
    return this.desk.pause(this.desk.sink(name), operator);
  }

  @Post('sinks/:name/resume')
  @HttpCode(200)
  @Describe('Resumes the deliveries to one sink.', 'sink:postgres', { name: 'postgres' })
  resumeSink(@Param('name') name: string, @ByOperator() operator: Operator): Promise<PauseStatus> {
    return this.desk.resume(this.desk.sink(name), operator);
  }
}
