import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { PrometheusController } from '@willsoto/nestjs-prometheus';

/** The library's controller with a description for the OpenAPI document. */
@ApiTags('health')
@Controller()
export class MetricsController extends PrometheusController {
  @Get()
  @ApiOperation({ summary: 'Metrics for Prometheus; docs/metrics.md lists them.' })
  @ApiProduces('text/plain')
  @ApiOkResponse({ description: 'The text format of Prometheus.' })
  override index(@Res({ passthrough: true }) response: unknown): Promise<string> {
    return super.index(response);
  }
}
