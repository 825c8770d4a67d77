import { Logger } from '@nestjs/common';
import type { BackPressureController } from '#libs/back-pressure';
import type { ServiceOptions } from '../config/service.options.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { until } from '../../test/support/until.js';
import { InFlight } from './in-flight.js';
import { Intake } from './intake.js';
import { PipelineLifecycle, PipelineParts, type PipelineSource } from './pipeline.lifecycle.js';
import { StageRuntime } from './stage-runtime.js';
import { type Stage, STAGE_IDS, type StageId } from './stage.js';

interface SetUp {
  readonly options?: Partial<ServiceOptions>;
  /** Replaces verbs of a stage. */
  readonly stages?: Partial<Record<StageId, Partial<Stage>>>;
  readonly startLedger?: () => Promise<void>;
  readonly hasSource?: boolean;
}

function setUp({
  options = {},
  stages: replaced = {},
  startLedger = () => Promise.resolve(),
  hasSource = false,
}: SetUp = {}) {
  const calls: string[] = [];
  const note = (text: string): void => void calls.push(text);
  const stages = STAGE_IDS.map((id): Stage => ({
    id,
    connect: (next) => note(`connect ${id} ${next.id}`),
    take: () => undefined,
    start: () => note(`start ${id}`),
    drain: () => note(`drain ${id}`),
    stop: () => note(`stop ${id}`),
    ...replaced[id],
  }));
  const clock = new FakeClock();
  const intake = new Intake();
  const controller = {
    start: () => note('start controller'),
    stop: () => note('stop controller'),
  } as unknown as BackPressureController;
  const superseded: ((error: Error) => void)[] = [];
  const ledger = {
    start: (onSuperseded: (error: Error) => void) => {
      note('start ledger');
      superseded.push(onSuperseded);
      return startLedger();
    },
    stop: () => Promise.resolve(note('stop ledger')),
  };
  const settlement = { stop: () => note('stop settlement') };
  const source: PipelineSource = {
    keepsRecords: true,
    start: () => note('start source'),
    drain: () => Promise.resolve(note('drain source')),
    stop: () => Promise.resolve(note('stop source')),
  };
  const sources = hasSource ? [source] : [];
  const lifecycle = new PipelineLifecycle(
    new PipelineParts(stages, ledger, settlement, sources),
    new StageRuntime(controller, clock, () => 0.5),
    intake,
    new InFlight(),
    { shutdownTimeoutMs: 25_000, shutdownAnnounceMs: 0, ...options } as ServiceOptions,
  );
  return { calls, clock, intake, lifecycle, superseded };
}

describe('PipelineLifecycle', () => {
  beforeAll(() => Logger.overrideLogger(false));

  it('connects the stages, starts the ledger and the stages sink first, then opens intake (L1)', async () => {
    const { calls, intake, lifecycle } = setUp();
    expect(intake.closed?.reason).toBe('starting');
    lifecycle.onApplicationBootstrap();
    await lifecycle.whenStarted();
    expect(calls).toEqual([
      'start controller',
      'connect Gateway KeyGen',
      'connect KeyGen IngressProcessing',
      'connect IngressProcessing AsyncEgress',
      'connect AsyncEgress FinalSink',
      'start ledger',
      'start FinalSink',
      'start AsyncEgress',
      'start IngressProcessing',
      'start KeyGen',
      'start Gateway',
    ]);
    expect(intake.closed).toBeUndefined();
    expect(lifecycle.state).toBe('running');
  });

  it('does not wait for a slow stage, and is not open before it is there (L3)', async () => {
    let isThere: (() => void) | undefined;
    const start = () => new Promise<void>((resolve) => (isThere = resolve));
    const { intake, lifecycle } = setUp({ stages: { FinalSink: { start } } });
    lifecycle.onApplicationBootstrap();
    await until(() => isThere, { what: 'FinalSink is being started' });
    expect(lifecycle.state).toBe('starting');
    expect(intake.closed?.reason).toBe('starting');
    isThere?.();
    await lifecycle.whenStarted();
    expect(lifecycle.state).toBe('running');
  });

  it('tells who waits for the start that a stage can not start', async () => {
    const start = () => Promise.reject(new Error('no such table'));
    const { lifecycle, intake } = setUp({ stages: { FinalSink: { start } } });
    lifecycle.onApplicationBootstrap();
    await expect(lifecycle.whenStarted()).rejects.toThrow('no such table');
    expect(intake.closed?.reason).toBe('starting');
  });

  it('closes intake, drains Gateway first, then stops Gateway first (L2)', async () => {
    const { calls, intake, lifecycle } = setUp();
    await lifecycle.beforeApplicationShutdown();
    expect(calls).toEqual([
      ...STAGE_IDS.map((id) => `drain ${id}`),
      'stop settlement',
      ...STAGE_IDS.map((id) => `stop ${id}`),
      'stop ledger',
      'stop controller',
    ]);
    expect(intake.closed?.reason).toBe('stopping');
    expect(lifecycle.state).toBe('stopped');
  });

  it('starts a source when the stages take records, drains it first and stops it before the ledger', async () => {
    const { calls, lifecycle } = setUp({ hasSource: true });
    lifecycle.onApplicationBootstrap();
    await lifecycle.whenStarted();
    expect(calls.at(-1)).toBe('start source');
    calls.length = 0;
    await lifecycle.beforeApplicationShutdown();
    expect(calls.slice(0, 2)).toEqual(['drain source', 'drain Gateway']);
    expect(calls.slice(-4)).toEqual([
      'stop FinalSink',
      'stop source',
      'stop ledger',
      'stop controller',
    ]);
  });

  it('stops once, however often it is asked', async () => {
    const { calls, lifecycle } = setUp();
    await Promise.all([
      lifecycle.beforeApplicationShutdown(),
      lifecycle.beforeApplicationShutdown(),
    ]);
    expect(calls.filter((call) => call === 'drain Gateway')).toHaveLength(1);
  });

  it('goes on accepting while it announces the stop (L2)', async () => {
    const { calls, clock, intake, lifecycle } = setUp({ options: { shutdownAnnounceMs: 5000 } });
    lifecycle.onApplicationBootstrap();
    await lifecycle.whenStarted();
    const stopped = lifecycle.beforeApplicationShutdown();
    await clock.advanceAsync(4999);
    expect(lifecycle.state).toBe('announcing');
    expect(intake.closed).toBeUndefined();
    await clock.advanceAsync(1);
    await stopped;
    expect(calls).toContain('drain FinalSink');
  });

  it('waits for no stage longer than SHUTDOWN_TIMEOUT_MS (L2)', async () => {
    const drain = () => new Promise<void>(() => undefined);
    const { clock, lifecycle, calls } = setUp({ stages: { AsyncEgress: { drain } } });
    const stopped = lifecycle.beforeApplicationShutdown();
    await clock.advanceAsync(25_000);
    await stopped;
    expect(calls).toContain('stop FinalSink');
  });

  it('does not open intake when the stop comes before the end of the start', async () => {
    let isThere: (() => void) | undefined;
    const start = () => new Promise<void>((resolve) => (isThere = resolve));
    const { intake, lifecycle } = setUp({ stages: { Gateway: { start } } });
    lifecycle.onApplicationBootstrap();
    await until(() => isThere, { what: 'the Gateway is being started' });
    await lifecycle.beforeApplicationShutdown();
    isThere?.();
    await lifecycle.whenStarted();
    expect(intake.closed?.reason).toBe('stopping');
    expect(lifecycle.state).toBe('stopped');
  });

  it('takes a ledger that stops during the start for the stop that it is', async () => {
    let refuse = (_error: Error): void => undefined;
    const startLedger = () => new Promise<void>((_, reject) => (refuse = reject));
    const { lifecycle } = setUp({ startLedger });
    lifecycle.onApplicationBootstrap();
    await lifecycle.beforeApplicationShutdown();
    refuse(new Error('The ledger has stopped.'));
    await expect(lifecycle.whenStarted()).resolves.toBeUndefined();
  });

  it('tells when another process has taken its place', async () => {
    const { lifecycle, superseded } = setUp();
    const told: string[] = [];
    lifecycle.onFatal((error) => told.push(error.message));
    lifecycle.onApplicationBootstrap();
    await lifecycle.whenStarted();
    superseded[0]?.(new Error('A newer process has this INSTANCE_ID.'));
    expect(told).toEqual(['A newer process has this INSTANCE_ID.']);
  });
});
