/**
 * What operators have changed, as it holds on this replica.
 *
 * RS1 read at the start, before records come, then every MONITORING_INTERVAL_MS, and at once after a change here: a
 *     change is in force on every replica within one interval, and after every restart.
 * RS2 a read that fails keeps what holds; what has expired ends all the same, by the clock of this process.
 * RS3 without a first answer everything counts as paused.
 * RS4 a stored value that breaks a rule is logged once and ignored.
 */
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import type { Timer } from '#libs/flow-control';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import { brokenLimits, configuredLimits, type LimitOverride } from '../config/stage-limits.js';
import { describeError } from '../database/failure-kind.js';
import type { LimitValues } from '../pipeline/live-limits.js';
import type { PauseTarget } from '../pipeline/pauses.js';
import { STAGE_IDS, type StageId } from '../pipeline/stage-id.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { Peers } from './peers.js';
import { type StoredSetting, SettingStore } from './setting-store.js';

const PAUSE = 'pause:';
const STAGE = 'stage:';

interface Held extends StoredSetting {
  /** Monotonic ms; Infinity: until it is changed. */
  readonly untilMs: number;
}

export const pauseName = (target: PauseTarget): string => `${PAUSE}${target}`;
export const stageName = (stage: StageId): string => `${STAGE}${stage}`;

@Injectable()
export class RuntimeSettings implements OnModuleInit, OnApplicationShutdown {
  private readonly log = new Logger('Settings');
  private held: ReadonlyMap<string, Held> = new Map();
  private readonly applied = new Map<StageId, LimitValues>();
  /** By stage: the change that was complained of. */
  private readonly complained = new Map<StageId, string>();
  private reading: Promise<void> = Promise.resolve();
  private state: 'unknown' | 'known' | 'stopped' = 'unknown';
  /** The last read failed, and that was said. */
  private isUnreadable = false;
  private timer: Timer | undefined;

  constructor(
    private readonly store: SettingStore,
    private readonly peers: Peers,
    private readonly runtime: StageRuntime,
    @Inject(APP_OPTIONS) private readonly options: AppOptions,
  ) {}

  async onModuleInit(): Promise<void> {
    this.runtime.pauses.holdUntilKnown();
    await this.refresh();
    this.schedule();
  }

  onApplicationShutdown(): void {
    this.state = 'stopped';
    this.timer?.cancel();
  }

  /** Reads once more, after a read under way. Never rejects (RS2). */
  refresh(): Promise<void> {
    this.reading = this.reading.then(() => this.readOnce());
    return this.reading;
  }

  /** What is in force under this name, if anything is. */
  find(name: string): StoredSetting | undefined {
    const setting = this.held.get(name);
    return setting !== undefined && this.isInForce(setting) ? setting : undefined;
  }

  /** What an operator has changed of the stage; empty when nothing, or nothing valid. */
  override(stage: StageId): LimitOverride {
    const setting = this.find(stageName(stage));
    return setting === undefined ? {} : this.validOverride(stage, setting);
  }

  private schedule(): void {
    const { clock } = this.runtime;
    this.timer = clock.setTimer(this.options.control.monitoringIntervalMs, () => {
      void this.tick();
    });
  }

  private async tick(): Promise<void> {
    await this.peers.announce();
    await this.refresh();
    if (this.state !== 'stopped') this.schedule();
  }

  private async readOnce(): Promise<void> {
    const sentMs = this.runtime.clock.now();
    try {
      const settings = await this.store.read();
      this.peers.see(settings);
      this.held = new Map(
        settings.map((setting) => [
          setting.name,
          { ...setting, untilMs: sentMs + (setting.expiresInMs ?? Infinity) },
        ]),
      );
      if (this.isUnreadable) this.log.log('The stored settings can be read again.');
      this.isUnreadable = false;
      if (this.state !== 'stopped') this.state = 'known';
    } catch (error) {
      this.complain(error);
    }
    if (this.state !== 'unknown') this.apply();
  }

  private complain(error: unknown): void {
    if (this.state === 'stopped' || this.isUnreadable) return;
    this.isUnreadable = true;
    this.log.warn(`The stored settings can't be read, what holds is kept: ${describeError(error)}`);
  }

  private apply(): void {
    const inForce = [...this.held.values()].filter((setting) => this.isInForce(setting));
    this.runtime.pauses.set(
      inForce
        .filter(({ name }) => name.startsWith(PAUSE))
        .map(({ name }) => name.slice(PAUSE.length) as PauseTarget),
    );
    for (const stage of STAGE_IDS) this.applyLimits(stage);
  }

  private applyLimits(stage: StageId): void {
    const configured = configuredLimits(this.options, stage);
    const before = this.applied.get(stage) ?? configured;
    const values: LimitValues = { ...configured, ...this.override(stage) };
    if (isSame(before, values)) return;
    this.applied.set(stage, values);
    this.runtime.controller.configureStage(stage, {
      capacity: values.bufferSize,
      replenishPerSecond: values.creditReplenishRate,
      trigger: values.trigger,
      latencyTargetMs: values.latencyTargetMs,
    });
    this.runtime.limits.set(stage, values);
  }

  private validOverride(stage: StageId, { value, changedAt }: StoredSetting): LimitOverride {
    const override = asOverride(value);
    const mistakes =
      override === undefined
        ? ['it is not an object of numbers']
        : brokenLimits(this.options, stage, override).map(
            ({ path, message }) => `${path} ${message}`,
          );
    if (override !== undefined && mistakes.length === 0) return override;
    const which = changedAt.toISOString();
    if (this.complained.get(stage) !== which) {
      this.complained.set(stage, which);
      this.log.warn(`The stored limits of ${stage} are ignored: ${mistakes.join('; ')}`);
    }
    return {};
  }

  private isInForce({ untilMs }: Held): boolean {
    return this.runtime.clock.now() < untilMs;
  }
}

function asOverride(value: unknown): LimitOverride | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const isRight = Object.values(value).every((each) => typeof each === 'number');
  return isRight ? (value as LimitOverride) : undefined;
}

function isSame(a: LimitValues, b: LimitValues): boolean {
  return Object.entries(a).every(([name, value]) => b[name as keyof LimitValues] === value);
}
