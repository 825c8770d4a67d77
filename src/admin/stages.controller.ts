import { Body, Controller, Get, Param, Patch } from '@nestjs/common';
import { AdminOnly } from './admin-only.js';
import { DescribeAdmin } from './admin.openapi.js';
import { checked } from './checked-input.js';
import { ByOperator, type Operator } from './operator.js';
import { StageDesk, type StageReport } from './stage-desk.js';
import {
  STAGE_CHANGE_EXAMPLE,
  STAGE_EXAMPLE,
  stageChangeSchema,
  stageReportSchema,
} from './stages.schema.js';

const MS_PER_SECOND = 1000;
const PARAMS = { stage: 'FinalSink' };

@AdminOnly()
@Controller('v1/admin/stages')
export class StagesController {
  constructor(private readonly desk: StageDesk) {}

  @Get(':stage')
  @DescribeAdmin({
    summary: 'One stage: its state, and its limits as configured and as changed.',
    params: PARAMS,
    answer: { description: 'On this replica.', schema: stageReportSchema, example: STAGE_EXAMPLE },
    problems: [404],
  })
  report(@Param('stage') name: string): StageReport {
    return this.desk.report(this.desk.stage(name));
  }

  @Patch(':stage')
  @DescribeAdmin({
    summary: 'Changes limits of a stage while it runs; null takes a change back.',
    params: PARAMS,
    body: { schema: stageChangeSchema, example: STAGE_CHANGE_EXAMPLE },
    answer: {
      description: 'In force here; on every replica within MONITORING_INTERVAL_MS.',
      schema: stageReportSchema,
      example: STAGE_EXAMPLE,
    },
    problems: [404, 422, 503],
  })
  change(
    @Param('stage') name: string,
    @Body() body: unknown,
    @ByOperator() operator: Operator,
  ): Promise<StageReport> {
    const stage = this.desk.stage(name);
    const { ttlSeconds, ...change } = checked(stageChangeSchema, body);
    const ttlMs = ttlSeconds === undefined ? undefined : ttlSeconds * MS_PER_SECOND;
    return this.desk.change(stage, withoutAbsent(change), { operator, ttlMs });
  }
}

/** An absent field changes nothing; zod names it all the same. */
function withoutAbsent<T extends object>(change: T) {
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [Name in keyof T]: Exclude<T[Name], undefined> };
}
