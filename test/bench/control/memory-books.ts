import type { Lot } from '#libs/flow-control';
import { Acknowledgments, type RefusedEnding } from '../../../src/ledger/acknowledgments.port.js';
import {
  type BacklogEntry,
  Journal,
  type JournalSnapshot,
  NO_REPLAYS,
  type Replay,
} from '../../../src/ledger/journal.port.js';
import type { PipelineRecord } from '../../../src/pipeline/record.js';
import type { DeliveryOutcome, Sink } from '../../../src/final-sink/sinks/sink.js';

const NONE_REFUSED: readonly RefusedEnding[] = [];
const ACKNOWLEDGED: DeliveryOutcome = { kind: 'acknowledged' };
const MAX_BATCH_RECORDS = 1000;

/**
 * Books that count and keep nothing. The in-memory ledger of the tests remembers every record and adds up their bytes
 * at every append, which would be most of what is measured here.
 */
export class CountingJournal extends Journal {
  readonly isFull = false;
  private appended = 0;

  append(records: readonly PipelineRecord[]): Promise<readonly Replay[]> {
    this.appended += records.length;
    return Promise.resolve(NO_REPLAYS);
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  snapshot(): JournalSnapshot {
    return {
      records: 0,
      bytes: 0,
      maxRecords: Infinity,
      maxBytes: Infinity,
      waiting: 0,
      backlog: 0,
      flushes: 0,
      flushedRecords: this.appended,
      replayedRecords: 0,
      lastFlushMs: 0,
    };
  }

  backlog(): readonly BacklogEntry[] {
    return [];
  }

  onBacklog(): void {}

  load(_ids: readonly string[], _credit: Lot): Promise<PipelineRecord[]> {
    return Promise.resolve([]);
  }
}

export class CountingAcknowledgments extends Acknowledgments {
  finish(): Promise<readonly RefusedEnding[]> {
    return Promise.resolve(NONE_REFUSED);
  }
}

/** A destination that acknowledges everything in the next microtask. */
export const memorySink: Sink = {
  name: 'memory',
  isOrdered: true,
  endsRecords: false,
  repeats: false,
  maxBatchRecords: MAX_BATCH_RECORDS,
  deliver: (records) => Promise.resolve(records.map(() => ACKNOWLEDGED)),
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
};
