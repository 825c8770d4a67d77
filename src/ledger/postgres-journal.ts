import type { Clock, Lot } from '#libs/flow-control';
import type { Origin, PipelineRecord } from '../pipeline/record.js';
import { DestinationCodes } from './destination-codes.js';
import { JournalFullError } from './errors/journal-full.error.js';
import { LedgerUnavailableError } from './errors/ledger-unavailable.error.js';
import { FlushQueue, type FlushCall } from './flush-queue.js';
import {
  type BacklogEntry,
  Journal,
  type JournalSnapshot,
  NO_REPLAYS,
  type Replay,
} from './journal.port.js';
import { JournalFlush, type JournalRow, journalRowOf } from './journal-flush.js';
import type { Ledger } from './ledger.js';
import { RecordLoader } from './record-loader.js';

/** Batches of 500 reach 0.98 of the best rate; larger ones only wait longer. */
const MAX_FLUSH_RECORDS = 500;
const MAX_FLUSH_BYTES = 4 * 1024 * 1024;

type Kind = 'append' | 'discard';

/** The journal in PostgreSQL: group commit on one connection, one flush in flight (O1). */
export class PostgresJournal extends Journal {
  private readonly queue: FlushQueue<JournalRow, Kind, readonly Replay[]>;
  private readonly flush: JournalFlush;
  private readonly loader: RecordLoader;

  constructor(
    private readonly ledger: Ledger,
    clock: Clock,
  ) {
    super();
    this.flush = new JournalFlush(ledger, new DestinationCodes(ledger.sessions.flush), clock);
    this.loader = new RecordLoader(ledger);
    this.queue = new FlushQueue({
      maxRecords: MAX_FLUSH_RECORDS,
      maxBytes: MAX_FLUSH_BYTES,
      bytesOf: (row) => row.bytes,
      flush: (calls) => this.write(calls),
    });
    ledger.listen({
      closed: ({ reason, detail }) =>
        this.queue.rejectWaiting(new LedgerUnavailableError(reason, detail)),
      // What another process handed over comes with the next flush; without traffic, with this one.
      renewed: () => this.poll(),
    });
  }

  append(records: readonly PipelineRecord[]): Promise<readonly Replay[]> {
    if (records.length === 0) return Promise.resolve(NO_REPLAYS);
    const refusal = this.refusalOf(records);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.queue.push('append', records.map(journalRowOf));
  }

  async discard(records: readonly PipelineRecord[]): Promise<void> {
    if (records.length === 0) return;
    if (!this.ledger.isOpen) throw this.unavailable();
    await this.queue.push('discard', records.map(journalRowOf));
  }

  get isFull(): boolean {
    return this.ledger.level.isFull;
  }

  snapshot(): JournalSnapshot {
    const { level, backlog } = this.ledger;
    return {
      records: level.records,
      bytes: level.bytes,
      maxRecords: level.maxRecords,
      maxBytes: level.maxBytes,
      waiting: this.queue.waiting,
      backlog: backlog.size,
      ...this.flush.counters(),
    };
  }

  backlog(): readonly BacklogEntry[] {
    return this.ledger.backlog.entries();
  }

  onBacklog(listener: (added: readonly BacklogEntry[]) => void): void {
    this.ledger.backlog.onAdded(listener);
  }

  load(ids: readonly string[], credit: Lot, origin: Origin): Promise<PipelineRecord[]> {
    return this.loader.load(ids, credit, origin);
  }

  private refusalOf(records: readonly PipelineRecord[]): Error | undefined {
    if (!this.ledger.isOpen) return this.unavailable();
    const { level } = this.ledger;
    let bytes = this.queue.waitingBytes;
    for (const record of records) bytes += record.body?.length ?? 0;
    if (level.fits(this.queue.waiting + records.length, bytes)) return undefined;
    return new JournalFullError({
      records: level.records,
      bytes: level.bytes,
      maxRecords: level.maxRecords,
      maxBytes: level.maxBytes,
    });
  }

  private unavailable(): LedgerUnavailableError {
    const { reason, detail } = this.ledger.closed;
    return new LedgerUnavailableError(reason, detail);
  }

  private poll(): void {
    if (!this.queue.isIdle) return;
    // Nobody waits for it: whatever it fails with has closed the ledger already.
    this.queue.push('append', []).catch(() => undefined);
  }

  private write(
    calls: readonly FlushCall<JournalRow, Kind>[],
  ): Promise<readonly (readonly Replay[] | Error)[]> {
    const kind = calls[0]?.kind;
    return kind === 'discard' ? this.flush.discard(calls) : this.flush.append(calls);
  }
}
