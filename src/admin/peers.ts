import { Inject, Injectable } from '@nestjs/common';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import { instanceOf } from '../config/instance.js';
import { PipelineLifecycle, type PipelineState } from '../pipeline/pipeline.lifecycle.js';
import { type StoredSetting, SettingStore } from './setting-store.js';

/** What a replica says of itself at every interval. */
export interface Peer {
  readonly instance: string;
  readonly state: PipelineState;
  readonly startedAt: string;
  /** When it was last heard of, by the database's clock. */
  readonly seenAt: string;
}

const INSTANCE = 'instance:';
/** Silent for so many intervals, and at least so long, a replica counts as gone. */
const SILENT_INTERVALS = 3;
const SHORTEST_SILENCE_MS = 10_000;

/**
 * The replicas on this database, by a row that each of them renews. A row expires, so that a replica that was killed is
 * gone from the list by itself.
 */
@Injectable()
export class Peers {
  readonly instance: string;
  private readonly startedAt = new Date().toISOString();
  private seen: readonly Peer[] = [];
  private hasCleaned = false;

  constructor(
    private readonly store: SettingStore,
    private readonly lifecycle: PipelineLifecycle,
    @Inject(APP_OPTIONS) private readonly options: AppOptions,
  ) {
    this.instance = instanceOf(options.service);
  }

  /** The other replicas that were heard of lately. */
  others(): readonly Peer[] {
    return this.seen.filter(({ instance }) => instance !== this.instance);
  }

  /** Says that this replica is there. Never rejects: who is not heard of for long counts as gone. */
  async announce(): Promise<void> {
    const { monitoringIntervalMs } = this.options.control;
    const ttlMs = Math.max(SHORTEST_SILENCE_MS, SILENT_INTERVALS * monitoringIntervalMs);
    const value = { state: this.lifecycle.state, startedAt: this.startedAt };
    try {
      await this.store.put(INSTANCE + this.instance, value, { by: this.instance, ttlMs });
      if (!this.hasCleaned) await this.store.removeExpired();
      this.hasCleaned = true;
    } catch {
      // The database is away, which the reading of the settings tells.
    }
  }

  /** Takes what was read of all settings. */
  see(settings: readonly StoredSetting[]): void {
    this.seen = settings
      .filter(({ name }) => name.startsWith(INSTANCE))
      .map(({ name, value, changedAt }) => ({
        ...(value as Pick<Peer, 'state' | 'startedAt'>),
        instance: name.slice(INSTANCE.length),
        seenAt: changedAt.toISOString(),
      }));
  }
}
