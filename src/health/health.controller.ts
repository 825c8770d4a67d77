import { Controller, Get, Res, ServiceUnavailableException } from '@nestjs/common';
import {
  ApiOkResponse,
  ApiOperation,
  ApiServiceUnavailableResponse,
  ApiTags,
} from '@nestjs/swagger';
import { type HealthIndicatorResult, HealthCheckService } from '@nestjs/terminus';
import { BackPressureHealthIndicator } from '#libs/back-pressure';
import { DatabaseHealthIndicator } from './database.health.js';
import { EndpointsHealthIndicator } from './endpoints.health.js';
import { HealthIndicators } from './health.indicators.js';

/** The part of a Fastify reply that is needed. */
interface Reply {
  status(code: number): Reply;
}

/** What terminus answers, whatever the outcome. */
type HealthAnswer = object | string;

@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicators,
    private readonly database: DatabaseHealthIndicator,
    private readonly endpoints: EndpointsHealthIndicator,
    private readonly pressure: BackPressureHealthIndicator,
  ) {}

  /** Not through terminus, which answers 503 to every check from the first moment of a shutdown. */
  @Get('live')
  @ApiOperation({ summary: 'The process turns. Never fails on overload, nor while it drains.' })
  @ApiOkResponse({ description: 'Alive.' })
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiOperation({ summary: 'A record could be accepted durably now.' })
  @ApiOkResponse({ description: 'Send records.' })
  @ApiServiceUnavailableResponse({ description: 'Send them elsewhere; the body says why.' })
  ready(@Res({ passthrough: true }) reply: Reply): Promise<HealthAnswer> {
    return this.answer(reply, [
      () => this.indicators.lifecycleRunning(),
      () => this.indicators.intakeOpen(),
      () => this.indicators.pressureBearable(),
      ...this.endpoints.notFailed(),
    ]);
  }

  @Get('startup')
  @ApiOperation({ summary: 'The start is over.' })
  @ApiOkResponse({ description: 'Started.' })
  @ApiServiceUnavailableResponse({ description: 'Starting.' })
  startup(@Res({ passthrough: true }) reply: Reply): Promise<HealthAnswer> {
    return this.answer(reply, [() => this.indicators.started()]);
  }

  @Get()
  @ApiOperation({ summary: 'Every check, and the pressure of every stage in words.' })
  @ApiOkResponse({ description: 'All is well, or degraded.' })
  @ApiServiceUnavailableResponse({ description: 'A check is down.' })
  all(@Res({ passthrough: true }) reply: Reply): Promise<HealthAnswer> {
    return this.answer(reply, [
      () => this.indicators.lifecycleRunning(),
      () => this.indicators.intakeOpen(),
      () => this.database.databaseReady(),
      () => this.database.journalHasRoom(),
      () => this.pressure.check('pipeline'),
      ...this.endpoints.inDetail(),
    ]);
  }

  /** A failed check is terminus' own document with 503, not a problem document: probes and people read it. */
  private async answer(
    reply: Reply,
    checks: (() => HealthIndicatorResult)[],
  ): Promise<HealthAnswer> {
    try {
      return await this.health.check(checks);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      reply.status(error.getStatus());
      return error.getResponse();
    }
  }
}
