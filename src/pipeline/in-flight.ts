import { Injectable } from '@nestjs/common';
import type { PipelineRecord } from './record.js';

type Listener = (record: PipelineRecord) => void;

/**
 * The accepted records of this process that are not terminal yet, by id: where a record is now, and who waits for its
 * end (`Prefer: wait`). Bounded by the pipeline's credits: every record in here holds one.
 */
@Injectable()
export class InFlight {
  private readonly records = new Map<string, PipelineRecord>();
  private readonly listeners = new Map<string, Set<Listener>>();

  get size(): number {
    return this.records.size;
  }

  get(id: string): PipelineRecord | undefined {
    return this.records.get(id);
  }

  add(records: readonly PipelineRecord[]): void {
    for (const record of records) this.records.set(record.id, record);
  }

  /** Forgets records that have reached their end, and tells who waits for them. */
  settle(records: readonly PipelineRecord[]): void {
    for (const record of records) {
      this.records.delete(record.id);
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
