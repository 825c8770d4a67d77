import { Injectable } from '@nestjs/common';
import type { PipelineRecord } from './record.js';

type Listener = (record: PipelineRecord) => void;

/** Who follows all accepted records of this process. */
export interface InFlightWatcher {
  /** Records that an earlier run accepted; they have not passed the upstream half of this one. */
  resumed(records: readonly PipelineRecord[]): void;
  /** Records that have reached their end, or that this process leaves to the journal; once for each. */
  settled(records: readonly PipelineRecord[]): void;
  /** Records that the pipeline has discarded instead of accepting them: the books have their end, they were never in flight. */
  discarded?(records: readonly PipelineRecord[]): void;
}

/**
 * The accepted records of this process that are not terminal yet, by id: where a record is now, and who waits for its
 * end (`Prefer: wait`). Bounded by the pipeline's credits: every record in here holds one.
 */
@Injectable()
export class InFlight {
  private readonly records = new Map<string, PipelineRecord>();
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly watchers: InFlightWatcher[] = [];

  get size(): number {
    return this.records.size;
  }

  get(id: string): PipelineRecord | undefined {
    return this.records.get(id);
  }

  add(records: readonly PipelineRecord[]): void {
    for (const record of records) this.records.set(record.id, record);
  }

  /** For records that come out of the journal instead of through the upstream half. */
  resume(records: readonly PipelineRecord[]): void {
    this.add(records);
    for (const watcher of this.watchers) watcher.resumed(records);
  }

  /** For records that ended at their acceptance. */
  discard(records: readonly PipelineRecord[]): void {
    for (const watcher of this.watchers) watcher.discarded?.(records);
  }

  watch(watcher: InFlightWatcher): void {
    this.watchers.push(watcher);
  }

  /** Forgets records that have reached their end, and tells who waits for them. Unknown ones are passed over. */
  settle(records: readonly PipelineRecord[]): void {
    const known = records.filter((record) => this.records.delete(record.id));
    for (const watcher of this.watchers) watcher.settled(known);
    for (const record of known) {
      const waiting = this.listeners.get(record.id);
      if (waiting === undefined) continue;
      this.listeners.delete(record.id);
      for (const listener of waiting) listener(record);
    }
  }

  /**
   * Waits for the end of a record. Resolves with it, or with undefined when the signal is aborted first or the record
   * is not in flight here.
   */
  waitFor(id: string, signal: AbortSignal): Promise<PipelineRecord | undefined> {
    if (!this.records.has(id) || signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const waiting = this.listeners.get(id) ?? new Set<Listener>();
      this.listeners.set(id, waiting);
      const listener: Listener = (record) => {
        signal.removeEventListener('abort', leave);
        resolve(record);
      };
      const leave = (): void => {
        waiting.delete(listener);
        if (waiting.size === 0) this.listeners.delete(id);
        resolve(undefined);
      };
      waiting.add(listener);
      signal.addEventListener('abort', leave, { once: true });
    });
  }
}
