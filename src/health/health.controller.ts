import { Controller, Get, Res, ServiceUnavailableException } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { type HealthIndicatorResult, HealthCheckService } from '@nestjs/terminus';
import { BackPressureHealthIndicator } from '#libs/back-pressure';
import { DatabaseHealthIndicator } from './database.health.js';
import { EndpointsHealthIndicator } from './endpoints.health.js';
import { HealthIndicators } from './health.indicators.js';
import { DescribeHealth, DescribeLive } from './health.openapi.js';

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
  @DescribeLive()
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @DescribeHealth({
    summary: 'A record could be accepted durably now.',
    up: 'Send records.',
    down: 'Send them elsewhere; the body says why.',
    example: [
      { lifecycle: { status: 'up', state: 'running' } },
      { lifecycle: { status: 'down', state: 'draining' } },
    ],
  })
  ready(@Res({ passthrough: true }) reply: Reply): Promise<HealthAnswer> {
    return this.answer(reply, [
      () => this.indicators.lifecycleRunning(),
      () => this.indicators.pressureBearable(),
      ...this.endpoints.notFailed(),
    ]);
  }

  @Get('startup')
  @DescribeHealth({
    summary: 'The start is over.',
    up: 'Started.',
    down: 'Starting.',
    example: [
      { startup: { status: 'up', state: 'running' } },
      { startup: { status: 'down', state: 'starting' } },
    ],
  })
  startup(@Res({ passthrough: true }) reply: Reply): Promise<HealthAnswer> {
    return this.answer(reply, [() => this.indicators.started()]);
  }

  @Get()
  @DescribeHealth({
    summary: 'Every check, and the pressure of every stage in words.',
    up: 'All is well, or degraded.',
    down: 'A check is down.',
    example: [
      { database: { status: 'up', state: 'ready', embedded: false } },
      { database: { status: 'down', state: 'away', embedded: false } },
    ],
  })
  all(@Res({ passthrough: true }) reply: Reply): Promise<HealthAnswer> {
    return this.answer(reply, [
      () => this.indicators.lifecycleRunning(),
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
