import { Inject, Injectable } from '@nestjs/common';
import type { StageStatus } from '#libs/back-pressure';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import {
  brokenLimits,
  configuredLimits,
  type LimitName,
  limitNames,
  type LimitOverride,
} from '../config/stage-limits.js';
import { STAGE_IDS, type StageId } from '../pipeline/stage-id.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { invalidInput, unknownName, withDatabase } from './admin-problem.js';
import { Audit } from './audit.js';
import { type Operator, operatorText } from './operator.js';
import { RuntimeSettings, stageName } from './runtime-settings.js';
import { SettingStore } from './setting-store.js';

interface LimitStatus {
  /** What the settings of the start say. */
  readonly configured: number;
  /** What holds now. */
  readonly current: number;
  readonly changed: boolean;
}

export interface StageReport {
  readonly stage: StageId;
  readonly limits: Readonly<Partial<Record<LimitName, LimitStatus>>>;
  /** When all changed limits go back to what is configured; null: they stay. */
  readonly revertsAt: string | null;
  readonly changedBy: string | null;
  readonly changedAt: string | null;
  readonly status: StageStatus;
}

/** What an operator asks for: null takes a change back. */
export type LimitChange = Readonly<Partial<Record<LimitName, number | null>>>;

/**
 * Where operators look at a stage and change its limits. The changed limits of a stage are one setting: they hold, and
 * revert, together, so that no rule between two of them can break when one of them ends.
 */
@Injectable()
export class StageDesk {
  constructor(
    private readonly store: SettingStore,
    private readonly settings: RuntimeSettings,
    private readonly audit: Audit,
    private readonly runtime: StageRuntime,
    @Inject(APP_OPTIONS) private readonly options: AppOptions,
  ) {}

  /** Throws a 404 for a name that is none of the five. */
  stage(name: string): StageId {
    const stage = STAGE_IDS.find((each) => each === name);
    if (stage === undefined) throw unknownName('stage', name, STAGE_IDS);
    return stage;
  }

  report(stage: StageId): StageReport {
    const configured = configuredLimits(this.options, stage);
    const override = this.settings.override(stage);
    const setting = this.settings.find(stageName(stage));
    const { stages } = this.runtime.controller.getPipelineStatus();
    return {
      stage,
      limits: Object.fromEntries(
        limitNames(stage).map((name): [LimitName, LimitStatus] => {
          const value = configured[name] ?? 0;
          const changed = override[name];
          const current = changed ?? value;
          return [name, { configured: value, current, changed: changed !== undefined }];
        }),
      ),
      revertsAt: setting?.expiresAt?.toISOString() ?? null,
      changedBy: setting?.changedBy ?? null,
      changedAt: setting?.changedAt.toISOString() ?? null,
      status: stages.find((each) => each.stage === stage)!,
    };
  }

  /** Changes what is named and keeps the other changes. Throws a 422 that names the broken rule; nothing is changed then. */
  async change(
    stage: StageId,
    change: LimitChange,
    { operator, ttlMs }: { operator: Operator; ttlMs: number | undefined },
  ): Promise<StageReport> {
    const by = operatorText(operator);
    let from: LimitOverride = {};
    let to: LimitOverride = {};
    const isChanged = await withDatabase(() =>
      this.store.change(
        stageName(stage),
        { by, ...(ttlMs !== undefined && { ttlMs }) },
        (current) => {
          from = (current ?? {}) as LimitOverride;
          to = merged(from, change);
          const mistakes = brokenLimits(this.options, stage, to);
          if (mistakes.length > 0) throw invalidInput(mistakes);
          return Object.keys(to).length === 0 ? undefined : to;
        },
      ),
    );
    await this.settings.refresh();
    if (isChanged) {
      const until = ttlMs === undefined ? {} : { forMs: ttlMs };
      const target = `stage ${stage}`;
      await this.audit.record(operator, {
        action: 'change',
        target,
        from,
        to: { ...to, ...until },
      });
    }
    return this.report(stage);
  }
}

function merged(override: LimitOverride, change: LimitChange): LimitOverride {
  const all = Object.entries({ ...override, ...change });
  return Object.fromEntries(all.filter(([, value]) => value !== null));
}
