import { Inject, Injectable, Optional } from '@nestjs/common';
import { KafkaSource } from '#libs/kafka';
import type { PauseTarget } from '../pipeline/pauses.js';
import { SOURCES } from '../pipeline/source-gate.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { unknownName, withDatabase } from './admin-problem.js';
import { Audit } from './audit.js';
import { type Operator, operatorText } from './operator.js';
import { pauseName, RuntimeSettings } from './runtime-settings.js';
import { SettingStore } from './setting-store.js';

/** What is stored of a pause. `drain`: asked for to empty the pipeline. */
interface StoredPause {
  readonly drain?: true;
}

export interface PauseStatus {
  readonly target: PauseTarget;
  readonly paused: boolean;
  /** Asked for by `drain`. */
  readonly drain: boolean;
  /** Null while it is not paused. */
  readonly since: string | null;
  readonly by: string | null;
}

/**
 * Where operators pause and resume. What was asked for before changes nothing and is not audited; a drain makes a pause
 * one that empties the pipeline, a pause leaves a drain as it is.
 */
@Injectable()
export class PauseDesk {
  constructor(
    private readonly store: SettingStore,
    private readonly settings: RuntimeSettings,
    private readonly audit: Audit,
    private readonly runtime: StageRuntime,
    @Optional() @Inject(KafkaSource) private readonly kafka: KafkaSource | undefined,
  ) {}

  /** Throws a 404 for a source that this service does not have. */
  source(name: string): PauseTarget {
    const known = SOURCES.filter((each) => each !== 'kafka' || this.kafka !== undefined);
    if (!known.some((each) => each === name)) throw unknownName('source', name, known);
    return `source:${name}`;
  }

  /** Throws a 404 for a sink that this service does not have. */
  sink(name: string): PauseTarget {
    const known = this.runtime.pauses.sinks();
    if (!known.includes(name)) throw unknownName('sink', name, known);
    return `sink:${name}`;
  }

  pause(target: PauseTarget, operator: Operator): Promise<PauseStatus> {
    return this.change(target, operator, 'pause', (current) => current ?? {});
  }

  drain(operator: Operator): Promise<PauseStatus> {
    return this.change('pipeline', operator, 'drain', () => ({ drain: true }));
  }

  resume(target: PauseTarget, operator: Operator): Promise<PauseStatus> {
    return this.change(target, operator, 'resume', () => undefined);
  }

  status(target: PauseTarget): PauseStatus {
    const setting = this.settings.find(pauseName(target));
    const pause = setting?.value as StoredPause | undefined;
    return {
      target,
      paused: setting !== undefined,
      drain: pause?.drain === true,
      since: setting?.changedAt.toISOString() ?? null,
      by: setting?.changedBy ?? null,
    };
  }

  private async change(
    target: PauseTarget,
    operator: Operator,
    action: string,
    next: (current: StoredPause | undefined) => StoredPause | undefined,
  ): Promise<PauseStatus> {
    const by = operatorText(operator);
    const isChanged = await withDatabase(() =>
      this.store.change(pauseName(target), { by }, (current) =>
        next(current as StoredPause | undefined),
      ),
    );
    await this.settings.refresh();
    if (isChanged) await this.audit.record(operator, { action, target });
    return this.status(target);
  }
}
