import { Controller, Get, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { PrometheusController } from '@willsoto/nestjs-prometheus';
import { z } from 'zod';
import { DescribeAnswer } from '../openapi/describe.js';

const EXAMPLE =
  '# HELP pipeline_throttled 1 while callers of the stage are to hold back.\n' +
  '# TYPE pipeline_throttled gauge\n' +
  'pipeline_throttled{stage="Gateway"} 0\n';

/** The library's controller with a description for the OpenAPI document. */
@ApiTags('health')
@Controller()
export class MetricsController extends PrometheusController {
  @Get()
  @ApiOperation({ summary: 'Metrics for Prometheus; docs/metrics.md lists them.' })
  @DescribeAnswer({
    description: 'The text format of Prometheus.',
    schema: z.string(),
    example: EXAMPLE,
    type: 'text/plain',
  })
  override index(@Res({ passthrough: true }) response: unknown): Promise<string> {
    return super.index(response);
  }
}
