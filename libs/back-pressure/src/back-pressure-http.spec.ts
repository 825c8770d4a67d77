import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Body, Controller, Get, Param, Post, Req } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { FlowControlError } from '#libs/flow-control';
import { backPressureOptions, stagesWith } from '../../../test/support/back-pressure.js';
import { until } from '../../../test/support/until.js';
import { BackPressureController } from './back-pressure-controller.js';
import { UseCredits, UseSemaphore, UseSemaphoreAndCredits } from './back-pressure.decorators.js';
import { BackPressureExceptionFilter } from './back-pressure-exception.filter.js';
import { BackPressureModule } from './back-pressure.module.js';
import type { BackPressureOptions } from './back-pressure.options.js';
import { IntakeClosedError } from './errors/intake-closed.error.js';
import { RateLimitedError } from './errors/rate-limited.error.js';
import { admissionOf, lotOf, permitOf, takeAdmission, takeLot } from './request-grants.js';
import type { Admission } from './admission-queue.js';

/** A handler waits here until the test lets it go. */
class Gate {
  readonly inside: string[] = [];
  private readonly waiting: (() => void)[] = [];

  pass(name: string): Promise<void> {
    this.inside.push(name);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  open(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

class UnmappedError extends FlowControlError {
  readonly code = 'FC_UNMAPPED';
  readonly retryable = false;
}

const gate = new Gate();
let taken: Admission | undefined;

@Controller()
class RecordsController {
  @Post('records')
  @UseCredits<{ body: unknown[] }>('Gateway', {
    countOf: ({ body }) => body.length,
    sizesOf: ({ body }) => body.map(() => 10),
  })
  post(@Req() request: object, @Body() body: unknown[]): object {
    if (body.includes('throw')) throw new Error('the handler failed');
    const admission = admissionOf(request);
    return { count: admission?.count ?? 0, bytes: admission?.pipeline.bytes ?? 0 };
  }

  @Post('taken')
  @UseCredits('Gateway')
  take(@Req() request: object): object {
    taken = takeAdmission(request);
    return { again: takeAdmission(request) === undefined };
  }

  @Get('slow/:name')
  @UseCredits('Gateway')
  async slow(@Param('name') name: string): Promise<string> {
    await gate.pass(name);
    return name;
  }

  @Get('keygen/:name')
  @UseCredits('KeyGen')
  async keygen(@Req() request: object, @Param('name') name: string): Promise<string> {
    if (name === 'take') takeLot(request);
    else await gate.pass(name);
    return String(lotOf(request)?.count);
  }

  @Get('permit/:name')
  @UseSemaphore('calls')
  async permit(@Req() request: object, @Param('name') name: string): Promise<string> {
    if (name === 'throw') throw new Error('the handler failed');
    if (name === 'early') {
      permitOf(request).release();
      permitOf(request).release();
    }
    await gate.pass(name);
    return name;
  }

  @Get('both/:name')
  @UseSemaphoreAndCredits<{ headers: Record<string, string> }>('calls', 'Gateway', {
    sizesOf: ({ headers }) => {
      if (headers['unsized'] !== undefined) throw new Error('nobody knows the size');
      return 10;
    },
  })
  async both(@Param('name') name: string): Promise<string> {
    if (name === 'throw') throw new Error('the handler failed');
    await gate.pass(name);
    return name;
  }

  @Get('error/:name')
  error(@Param('name') name: string): void {
    if (name === 'quota') throw new RateLimitedError({ stage: 'Gateway', retryAfterMs: 1 });
    if (name === 'paused') throw new IntakeClosedError({ reason: 'paused' });
    if (name === 'unmapped') throw new UnmappedError('nobody maps it');
    throw new Error('a defect');
  }

  @Get('unrelated')
  unrelated(): string {
    return 'here';
  }
}

/** The decorators stand on class and method: the interceptors run twice for a request. */
@Controller('twice')
@UseSemaphore('calls')
@UseCredits('Gateway')
class TwiceController {
  @Get('admission')
  @UseSemaphore('calls')
  @UseCredits('Gateway')
  async twice(): Promise<string> {
    await gate.pass('twice');
    return 'once';
  }

  @Get('lot')
  @UseCredits('KeyGen')
  async lot(): Promise<string> {
    await gate.pass('lot');
    return 'once';
  }
}

/** Starts the application; every request of the test takes at most 200 ms of waiting for credits. */
async function startApp(change: Partial<BackPressureOptions> = {}) {
  const testing = await Test.createTestingModule({
    imports: [
      BackPressureModule.forRootAsync({
        inject: ['CHANGE'],
        imports: [
          {
            module: class ChangeModule {},
            providers: [{ provide: 'CHANGE', useValue: change }],
            exports: ['CHANGE'],
          },
        ],
        useFactory: (given: Partial<BackPressureOptions>): BackPressureOptions => {
          const { clock: _, ...options } = backPressureOptions(given);
          return options;
        },
      }),
    ],
    controllers: [RecordsController, TwiceController],
    providers: [{ provide: APP_FILTER, useExisting: BackPressureExceptionFilter }],
  }).compile();
  const app = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), {
    logger: false,
  });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  const controller = app.get(BackPressureController);
  const outstanding = (pool: string): number => controller.credits(pool).outstanding;
  // Nothing comes out in these tests, so one waiter already means the longest time.
  const hasWaiter = (): boolean => controller.refusal('Gateway', 'queue').retryAfterMs > 1000;
  return { app, controller, outstanding, hasWaiter };
}

describe('back-pressure over HTTP', () => {
  let started: Awaited<ReturnType<typeof startApp>> | undefined;

  async function start(change?: Partial<BackPressureOptions>) {
    started = await startApp(change);
    return started;
  }

  afterEach(async () => {
    gate.open();
    gate.inside.length = 0;
    taken = undefined;
    started?.controller.stop();
    await started?.app.close();
    started = undefined;
  });

  describe('@UseCredits', () => {
    it('admits as many records as the request has, and gives the credits back with the answer', async () => {
      const { app, outstanding } = await start();
      const answer = await app.inject({
        method: 'POST',
        url: '/records',
        payload: ['a', 'b', 'c'],
      });
      expect(answer.json()).toEqual({ count: 3, bytes: 30 });
      expect([outstanding('Gateway'), outstanding('pipeline')]).toEqual([0, 0]);
    });

    it('hands the handler a grant that is smaller than the request', async () => {
      const { app, outstanding } = await start({ pipeline: { capacity: 2, byteCapacity: 1e9 } });
      const answer = await app.inject({
        method: 'POST',
        url: '/records',
        payload: ['a', 'b', 'c'],
      });
      expect(answer.json()).toEqual({ count: 2, bytes: 20 });
      expect(outstanding('pipeline')).toBe(0);
    });

    it('asks for nothing when the request has no record', async () => {
      const { app, controller } = await start();
      const answer = await app.inject({ method: 'POST', url: '/records', payload: [] });
      expect(answer.json()).toEqual({ count: 0, bytes: 0 });
      expect(controller.credits('pipeline').granted).toBe(0);
    });

    it('gives the credits back when the handler throws', async () => {
      const { app, controller, outstanding } = await start();
      const answer = await app.inject({ method: 'POST', url: '/records', payload: ['throw'] });
      expect(answer.statusCode).toBe(500);
      expect([outstanding('Gateway'), outstanding('pipeline')]).toEqual([0, 0]);
      expect(controller.credits('pipeline').granted).toBe(1);
    });

    it('takes credits and a permit once when it is applied twice, and gives them back', async () => {
      const semaphores = { calls: { permits: 2, queueCapacity: 0 } };
      const { app, controller, outstanding } = await start({ semaphores });
      const held = () => [
        outstanding('Gateway'),
        outstanding('pipeline'),
        outstanding('KeyGen'),
        controller.semaphore('calls').inUse,
      ];
      const answers = [app.inject('/twice/admission'), app.inject('/twice/lot')];
      await until(() => gate.inside.length === 2);
      expect(held()).toEqual([1, 1, 1, 2]);
      gate.open();
      await Promise.all(answers);
      expect(held()).toEqual([0, 0, 0, 0]);
    });

    it('leaves the handler what it took over', async () => {
      const { app, outstanding } = await start();
      const answer = await app.inject({ method: 'POST', url: '/taken', payload: {} });
      expect(answer.json()).toEqual({ again: true });
      expect([outstanding('Gateway'), outstanding('pipeline')]).toEqual([1, 1]);
      taken?.release();
      expect([outstanding('Gateway'), outstanding('pipeline')]).toEqual([0, 0]);
    });

    it('waits for credits when there are none, in line', async () => {
      const { app, hasWaiter } = await start({
        stages: stagesWith({ Gateway: { capacity: 1 } }),
        admission: { queueCapacity: 10, waitMs: 10_000 },
      });
      const first = app.inject('/slow/first');
      await until(() => gate.inside.length === 1);
      const second = app.inject('/slow/second');
      await until(hasWaiter, { what: 'the second request to wait' });
      expect(gate.inside).toEqual(['first']);
      gate.open();
      expect((await first).body).toBe('first');
      await until(() => gate.inside.length === 2);
      gate.open();
      expect((await second).body).toBe('second');
    });

    it('refuses with 429, the stage and Retry-After when none comes in time', async () => {
      const { app, outstanding } = await start({
        stages: stagesWith({ Gateway: { capacity: 1 } }),
        admission: { queueCapacity: 10, waitMs: 5 },
      });
      const first = app.inject('/slow/first');
      await until(() => gate.inside.length === 1);
      const refused = await app.inject('/slow/second');
      expect(refused.statusCode).toBe(429);
      expect(refused.headers).toMatchObject({
        'content-type': expect.stringMatching(/^application\/problem\+json/),
        'retry-after': '1',
      });
      expect(refused.json()).toMatchObject({
        type: '/problems/temporary-reduced-capacity',
        status: 429,
        stage: 'Gateway',
        signal: 'credit',
        retryAfterMs: 1000,
      });
      expect(gate.inside).toEqual(['first']);
      gate.open();
      await first;
      expect(outstanding('Gateway')).toBe(0);
    });

    it('ends the wait of a client that leaves, and grants it nothing', async () => {
      const { app, controller, outstanding, hasWaiter } = await start({
        stages: stagesWith({ Gateway: { capacity: 1 } }),
        admission: { queueCapacity: 10, waitMs: 60_000 },
      });
      await app.listen(0, '127.0.0.1');
      const held = controller.tryAdmit(1);
      const { port } = app.getHttpServer().address() as AddressInfo;
      const client = connect(port, '127.0.0.1');
      client.write('GET /slow/gone HTTP/1.1\r\nHost: localhost\r\n\r\n');
      await until(hasWaiter, { what: 'the client to wait' });
      client.destroy();
      await until(() => !hasWaiter(), { what: 'its wait to end' });
      held?.release();
      expect([outstanding('Gateway'), gate.inside.length]).toEqual([0, 0]);
    });

    it('takes a plain lot of any other stage, and waits for that too', async () => {
      const { app, controller, outstanding } = await start({
        stages: stagesWith({ KeyGen: { capacity: 1 } }),
        admission: { queueCapacity: 10, waitMs: 10_000 },
      });
      const first = app.inject('/keygen/first');
      await until(() => gate.inside.length === 1);
      expect([outstanding('KeyGen'), outstanding('pipeline')]).toEqual([1, 0]);
      const second = app.inject('/keygen/second');
      await until(() => controller.credits('KeyGen').waiting === 1);
      gate.open();
      expect((await first).body).toBe('1');
      await until(() => gate.inside.length === 2);
      gate.open();
      await second;
      expect(outstanding('KeyGen')).toBe(0);
      expect((await app.inject('/keygen/take')).body).toBe('undefined');
      expect(outstanding('KeyGen')).toBe(1);
    });

    it('answers an unrelated request and a timer while a hundred callers wait (flaw 3)', async () => {
      const { app } = await start({
        stages: stagesWith({ Gateway: { capacity: 1 } }),
        admission: { queueCapacity: 1000, waitMs: 60_000 },
      });
      const order: string[] = [];
      const callers = Array.from({ length: 101 }, (_, i) =>
        app.inject(`/slow/${i}`).then(() => order.push('caller')),
      );
      await until(() => gate.inside.length === 1);
      await new Promise<void>((resolve) =>
        setTimeout(() => {
          order.push('timer');
          resolve();
        }, 1),
      );
      await app.inject('/unrelated').then(() => order.push('unrelated'));
      expect(order).toEqual(['timer', 'unrelated']);
      await until(() => {
        gate.open();
        return order.length === 103;
      });
      await Promise.all(callers);
    });
  });

  describe('@UseSemaphore', () => {
    const semaphores = { calls: { permits: 1, queueCapacity: 1 } };

    it('gives the permit back with the answer, also when the handler throws', async () => {
      const { app, controller } = await start({ semaphores });
      expect((await app.inject('/permit/throw')).statusCode).toBe(500);
      expect(controller.semaphore('calls').snapshot()).toMatchObject({
        inUse: 0,
        doubleReleases: 0,
      });
    });

    it('lets a handler give it back before its answer, once', async () => {
      const { app, controller } = await start({ semaphores });
      const early = app.inject('/permit/early');
      await until(() => gate.inside.length === 1);
      expect(controller.semaphore('calls').inUse).toBe(0);
      const other = app.inject('/permit/other');
      await until(() => gate.inside.length === 2);
      gate.open();
      await Promise.all([early, other]);
      expect(controller.semaphore('calls').snapshot()).toMatchObject({
        inUse: 0,
        doubleReleases: 0,
      });
    });

    it('waits for a permit in a bounded line and refuses who finds it full', async () => {
      const { app, controller } = await start({
        semaphores,
        admission: { queueCapacity: 1, waitMs: 60_000 },
      });
      const first = app.inject('/permit/first');
      await until(() => gate.inside.length === 1);
      const second = app.inject('/permit/second');
      await until(() => controller.semaphore('calls').queued === 1);
      const third = await app.inject('/permit/third');
      expect(third.statusCode).toBe(429);
      expect(third.json()).toMatchObject({ signal: 'queue' });
      gate.open();
      await first;
      await until(() => gate.inside.length === 2);
      gate.open();
      expect((await second).statusCode).toBe(200);
    });
  });

  describe('@UseSemaphoreAndCredits', () => {
    const semaphores = { calls: { permits: 1, queueCapacity: 1 } };
    const held = (): unknown[] => [
      started?.controller.semaphore('calls').inUse,
      started?.outstanding('Gateway'),
      started?.outstanding('pipeline'),
    ];

    it('takes a permit and credits, and gives both back with the answer', async () => {
      const { app } = await start({ semaphores });
      const answer = app.inject('/both/first');
      await until(() => gate.inside.length === 1);
      expect(held()).toEqual([1, 1, 1]);
      gate.open();
      expect((await answer).body).toBe('first');
      expect(held()).toEqual([0, 0, 0]);
    });

    it('gives both back when the handler throws', async () => {
      const { app } = await start({ semaphores });
      expect((await app.inject('/both/throw')).statusCode).toBe(500);
      expect(held()).toEqual([0, 0, 0]);
    });

    it('waits for a permit before it takes credits', async () => {
      const { app, controller } = await start({
        semaphores,
        admission: { queueCapacity: 1, waitMs: 60_000 },
      });
      const first = app.inject('/both/first');
      await until(() => gate.inside.length === 1);
      const second = app.inject('/both/second');
      await until(() => controller.semaphore('calls').queued === 1);
      expect(held()).toEqual([1, 1, 1]);
      gate.open();
      await first;
      await until(() => gate.inside.length === 2);
      gate.open();
      expect((await second).statusCode).toBe(200);
      expect(held()).toEqual([0, 0, 0]);
    });

    it('keeps no permit when it gets no credits', async () => {
      const { app, controller } = await start({
        semaphores,
        stages: stagesWith({ Gateway: { capacity: 1 } }),
        admission: { queueCapacity: 10, waitMs: 5 },
      });
      const admission = controller.tryAdmit(1);
      expect((await app.inject('/both/refused')).statusCode).toBe(429);
      expect(held()).toEqual([0, 1, 1]);
      admission?.release();
      const failed = await app.inject({ url: '/both/failed', headers: { unsized: 'yes' } });
      expect(failed.statusCode).toBe(500);
      expect(held()).toEqual([0, 0, 0]);
    });
  });

  describe('BackPressureExceptionFilter', () => {
    it.each([
      ['quota', 429, '/problems/quota-exceeded', '1'],
      ['paused', 503, '/problems/paused', '5'],
    ])('answers %s with %d', async (name, status, type, retryAfter) => {
      const { app } = await start();
      const answer = await app.inject(`/error/${name}`);
      expect(answer.statusCode).toBe(status);
      expect(answer.json()).toMatchObject({ type, status });
      expect(answer.headers['retry-after']).toBe(retryAfter);
    });

    it.each(['defect', 'unmapped'])('leaves %s to the others', async (name) => {
      const { app } = await start();
      expect((await app.inject(`/error/${name}`)).statusCode).toBe(500);
    });
  });
});
