import type { Lot } from '#libs/flow-control';
import type { Origin, PipelineRecord } from '../pipeline/record.js';

/** A record of the journal that is not in memory yet. */
export interface BacklogEntry {
  readonly id: string;
  /** Bytes of its body and headers: what its credits stand for. */
  readonly sizeBytes: number;
}

export interface JournalSnapshot {
  /** Records that are accepted and not terminal, and their bytes. */
  readonly records: number;
  readonly bytes: number;
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** Records whose `append` or `discard` is not answered yet. */
  readonly waiting: number;
  /** Left by an earlier run or a lost connection, not loaded yet. */
  readonly backlog: number;
  readonly flushes: number;
  readonly flushedRecords: number;
  /** Records that were not kept, since their idempotency key had one. */
  readonly replayedRecords: number;
  readonly lastFlushMs: number;
}

/** A record that was not kept, since an earlier one of its tenant has its idempotency key. */
export interface Replay {
  readonly record: PipelineRecord;
  /** Of the record that has the key. */
  readonly earlierId: string;
  /** Whether both have the same fingerprint; if not, the sender has reused its key. */
  readonly isSame: boolean;
}

/** The answer of nearly every `append`. */
export const NO_REPLAYS: readonly Replay[] = Object.freeze([]);

/** Where accepted records are kept until their end. */
export abstract class Journal {
  /**
   * Keeps records; resolves when they are durable, with those of them that were not kept since their idempotency key has
   * a record. Calls resolve in their order; a call is kept as a whole, but for these, or not at all. Changes nothing on
   * the records.
   *
   * A key lasts from the commit of its record until IDEMPOTENCY_TTL_HOURS after it, whatever becomes of the record; then
   * it counts as new. Of a call that rejects no key is kept. The caller sees to it that no two records of the same key
   * are in calls that are not answered.
   *
   * Rejects with LedgerUnavailableError, JournalFullError or RecordRefusedError (not kept), or OutcomeUnknownError
   * (perhaps kept: then it joins the backlog).
   */
  abstract append(records: readonly PipelineRecord[]): Promise<readonly Replay[]>;

  /**
   * Enters the end of records that were never appended (`verdict` discarded). Waits and rejects like `append`. Keeps no
   * idempotency keys: the same again is decided about anew.
   */
  abstract discard(records: readonly PipelineRecord[]): Promise<void>;

  /** Whether `append` would reject with JournalFullError now. */
  abstract readonly isFull: boolean;

  abstract snapshot(): JournalSnapshot;

  /** What must be carried on and is not loaded yet, in the order of acceptance. Shrinks as it is loaded. */
  abstract backlog(): readonly BacklogEntry[];

  /**
   * Tells `listener` of the entries that have joined the backlog after the start. Intake is closed at that moment, so
   * whoever queues them at once has them before every newer record.
   */
  abstract onBacklog(listener: (added: readonly BacklogEntry[]) => void): void;

  /**
   * Reads records of the backlog, in the order of `ids`; those that have ended are left out. `credit` holds one
   * pipeline credit for each id; that of a record left out stays in it. Waits through an outage.
   */
  abstract load(ids: readonly string[], credit: Lot, origin: Origin): Promise<PipelineRecord[]>;
}
