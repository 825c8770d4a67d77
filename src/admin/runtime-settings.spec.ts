import { Logger } from '@nestjs/common';
import { FakeClock } from '../../test/support/fake-clock.js';
import { loadOptions } from '../config/load-options.js';
import type { LimitValues } from '../pipeline/live-limits.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import type { Peers } from './peers.js';
import { RuntimeSettings } from './runtime-settings.js';
import type { SettingStore, StoredSetting } from './setting-store.js';

const INTERVAL_MS = 2000;

const stored = (name: string, value: unknown, fields: Partial<StoredSetting> = {}) => ({
  name,
  value,
  changedBy: 'admin-token@::1',
  changedAt: new Date('2026-01-01T00:00:00Z'),
  ...fields,
});

function setUp(rows: StoredSetting[] = []) {
  const clock = new FakeClock();
  const configured: object[] = [];
  const controller = {
    configureStage: (stage: string, change: object) => configured.push({ stage, ...change }),
  };
  const runtime = new StageRuntime(controller as never, clock, Math.random);
  const limits: LimitValues[] = [];
  runtime.limits.watch('KeyGen', (values) => limits.push(values));
  const database = { rows, isAway: false };
  const store = {
    read: () =>
      database.isAway ? Promise.reject(new Error('away')) : Promise.resolve(database.rows),
  } as unknown as SettingStore;
  let announced = 0;
  const peers = {
    announce: () => {
      announced += 1;
      return Promise.resolve();
    },
    see: () => undefined,
  } as unknown as Peers;
  const { options } = loadOptions({ environment: {}, folder: '/nowhere' });
  const settings = new RuntimeSettings(store, peers, runtime, options);
  const { pauses } = runtime;
  return { clock, database, settings, pauses, configured, limits, announced: () => announced };
}

describe('RuntimeSettings', () => {
  const lines: string[] = [];
  const collect = (line: string): void => void lines.push(line);
  beforeAll(() => Logger.overrideLogger({ log: collect, warn: collect, error: collect }));
  beforeEach(() => lines.splice(0));

  it('holds what is stored before the start is over (RS1)', async () => {
    const { settings, pauses } = setUp([stored('pause:sink:kafka', {})]);
    const started = settings.onModuleInit();
    expect(pauses.isSourcePaused('rest')).toBe(true);
    await started;
    expect(pauses.all()).toEqual(['sink:kafka']);
    expect(pauses.isSourcePaused('rest')).toBe(false);
  });

  it('takes a change of another replica within one interval (RS1)', async () => {
    const { settings, clock, database, pauses, announced } = setUp();
    await settings.onModuleInit();
    database.rows = [stored('pause:pipeline', {})];
    await clock.advanceAsync(INTERVAL_MS - 1);
    expect(pauses.isPipelinePaused).toBe(false);
    await clock.advanceAsync(1);
    await clock.advanceAsync(0);
    expect(pauses.isPipelinePaused).toBe(true);
    expect(announced()).toBe(1);
  });

  it('keeps what holds when it can not be read, and says so once (RS2)', async () => {
    const { settings, clock, database, pauses } = setUp([stored('pause:pipeline', {})]);
    await settings.onModuleInit();
    database.isAway = true;
    await clock.advanceAsync(3 * INTERVAL_MS);
    expect(pauses.isPipelinePaused).toBe(true);
    expect(lines).toEqual([expect.stringContaining("can't be read, what holds is kept: away")]);
    database.isAway = false;
    database.rows = [];
    await clock.advanceAsync(INTERVAL_MS);
    await clock.advanceAsync(0);
    expect(pauses.isPipelinePaused).toBe(false);
    expect(lines.at(-1)).toContain('can be read again');
  });

  it('says once that it can not be read when nothing was read yet, and when it can (RS2)', async () => {
    const { settings, clock, database } = setUp();
    database.isAway = true;
    await settings.onModuleInit();
    await clock.advanceAsync(3 * INTERVAL_MS);
    expect(lines).toEqual([expect.stringContaining("can't be read, what holds is kept: away")]);
    database.isAway = false;
    await clock.advanceAsync(INTERVAL_MS);
    await clock.advanceAsync(0);
    expect(lines.slice(1)).toEqual([expect.stringContaining('can be read again')]);
  });

  it('ends what has expired by its own clock, also while the database is away (RS2)', async () => {
    const row = stored('stage:KeyGen', { bufferSize: 10 }, { expiresInMs: 3000 });
    const { settings, clock, database, limits, configured } = setUp([row]);
    await settings.onModuleInit();
    expect(limits).toMatchObject([{ bufferSize: 10, creditReplenishRate: 200 }]);
    expect(settings.override('KeyGen')).toEqual({ bufferSize: 10 });
    database.isAway = true;
    await clock.advanceAsync(2 * INTERVAL_MS);
    await clock.advanceAsync(0);
    expect(settings.override('KeyGen')).toEqual({});
    expect(limits.at(-1)).toMatchObject({ bufferSize: 2000 });
    expect(configured).toMatchObject([
      { stage: 'KeyGen', capacity: 10 },
      { stage: 'KeyGen', capacity: 2000 },
    ]);
  });

  it('counts everything as paused until there is a first answer (RS3)', async () => {
    const { settings, clock, database, pauses } = setUp();
    database.isAway = true;
    await settings.onModuleInit();
    expect([pauses.isSourcePaused('rest'), pauses.isSinkPaused('kafka')]).toEqual([true, true]);
    database.isAway = false;
    await clock.advanceAsync(INTERVAL_MS);
    await clock.advanceAsync(0);
    expect([pauses.isSourcePaused('rest'), pauses.isSinkPaused('kafka')]).toEqual([false, false]);
  });

  it.each([
    [{ bufferSize: 0 }, '/bufferSize must be'],
    [{ bufferSize: 'many' }, 'not an object of numbers'],
    [[1], 'not an object of numbers'],
    [{ unknown: 1 }, '/unknown is no limit'],
  ])('ignores the stored limits %j and complains once (RS4)', async (value, complaint) => {
    const { settings, clock, limits } = setUp([stored('stage:KeyGen', value)]);
    await settings.onModuleInit();
    await clock.advanceAsync(2 * INTERVAL_MS);
    expect(limits).toEqual([]);
    expect(lines).toEqual([expect.stringContaining(complaint)]);
  });

  it('tells a stage of a change, and of nothing else', async () => {
    const { settings, database, limits } = setUp();
    await settings.onModuleInit();
    database.rows = [stored('stage:KeyGen', { trigger: 0.5 })];
    await settings.refresh();
    await settings.refresh();
    expect(limits).toHaveLength(1);
    database.rows = [];
    await settings.refresh();
    expect(limits).toMatchObject([{ trigger: 0.5 }, { trigger: 0.8 }]);
  });

  it('keeps no timer after its end', async () => {
    const { settings, clock } = setUp();
    await settings.onModuleInit();
    settings.onApplicationShutdown();
    expect(clock.pendingTimers).toBe(0);
  });
});
