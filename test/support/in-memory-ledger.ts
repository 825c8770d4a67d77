import type { Lot } from '../../libs/flow-control/src/index.js';
import {
  Acknowledgments,
  type Ending,
  type RefusedEnding,
} from '../../src/ledger/acknowledgments.port.js';
import { JournalFullError } from '../../src/ledger/errors/journal-full.error.js';
import { RecordRefusedError } from '../../src/ledger/errors/record-refused.error.js';
import { journalRowOf } from '../../src/ledger/journal-flush.js';
import {
  type BacklogEntry,
  Journal,
  type JournalSnapshot,
  type Replay,
} from '../../src/ledger/journal.port.js';
import type { Origin, PipelineRecord } from '../../src/pipeline/record.js';

/** What stays when a process ends: give the same books to the next InMemoryJournal. */
export class InMemoryBooks {
  readonly journal = new Map<string, PipelineRecord>();
  readonly ended = new Map<string, Ending>();
  /** The record that has an idempotency key. */
  readonly keys = new Map<string, PipelineRecord>();
  /** Acknowledgments of records with several destinations, by record and destination. */
  readonly parts = new Map<string, Map<string, Ending>>();
  /** By table, in the order of delivery. */
  readonly outputs = new Map<string, Ending[]>();
}

export interface InMemoryBounds {
  readonly maxRecords?: number;
  readonly maxBytes?: number;
  readonly destinations?: readonly string[];
}

/** The journal for stage tests and benches: no I/O, answers in the next microtask. */
export class InMemoryJournal extends Journal {
  /** Set it to make appends and discards reject. */
  failure: Error | undefined;
  private left: BacklogEntry[];
  private readonly listeners: ((added: readonly BacklogEntry[]) => void)[] = [];
  private flushes = 0;
  private flushedRecords = 0;
  private replayedRecords = 0;

  constructor(
    readonly books = new InMemoryBooks(),
    private readonly bounds: InMemoryBounds = {},
  ) {
    super();
    this.left = [...books.journal.values()].map(entryOf);
  }

  async append(offered: readonly PipelineRecord[]): Promise<readonly Replay[]> {
    if (this.failure !== undefined) throw this.failure;
    const replays = offered.flatMap((record) => this.replayOf(record) ?? []);
    const records = offered.filter((record) => !replays.some((replay) => replay.record === record));
    this.store(records);
    this.replayedRecords += replays.length;
    return replays;
  }

  private replayOf(record: PipelineRecord): Replay | undefined {
    const earlier = this.books.keys.get(nameOfKey(record) ?? '');
    if (earlier === undefined) return undefined;
    const { fingerprint } = earlier.idempotencyKey!;
    const isSame = fingerprint.equals(record.idempotencyKey!.fingerprint);
    return { record, earlierId: earlier.id, isSame };
  }

  private store(records: readonly PipelineRecord[]): void {
    if (records.length === 0) return;
    const { maxRecords, maxBytes, records: kept, bytes } = this.snapshot();
    const isFirst = kept === 0 && records.length === 1;
    const added = records.reduce((sum, record) => sum + entryOf(record).sizeBytes, 0);
    if (!isFirst && (kept + records.length > maxRecords || bytes + added > maxBytes)) {
      throw new JournalFullError({ records: kept, bytes, maxRecords, maxBytes });
    }
    if (records.some(({ id }) => this.books.journal.has(id))) throw new RecordRefusedError('23505');
    for (const record of records) {
      this.books.journal.set(record.id, record);
      const name = nameOfKey(record);
      if (name !== undefined) this.books.keys.set(name, record);
    }
    this.flushes += 1;
    this.flushedRecords += records.length;
  }

  async discard(records: readonly PipelineRecord[]): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    for (const record of records) {
      const reason = record.verdict?.kind === 'discarded' ? record.verdict.reason : '';
      const terminal = { status: 'discarded', reason } as const;
      this.books.ended.set(record.id, { record, terminal, attempts: 0, destination: '' });
    }
  }

  get isFull(): boolean {
    const { records, bytes, maxRecords, maxBytes } = this.snapshot();
    return records >= maxRecords || bytes >= maxBytes;
  }

  snapshot(): JournalSnapshot {
    const { maxRecords = 100_000, maxBytes = 2 ** 30 } = this.bounds;
    let bytes = 0;
    for (const record of this.books.journal.values()) bytes += entryOf(record).sizeBytes;
    return {
      records: this.books.journal.size,
      bytes,
      maxRecords,
      maxBytes,
      waiting: 0,
      backlog: this.left.length,
      flushes: this.flushes,
      flushedRecords: this.flushedRecords,
      replayedRecords: this.replayedRecords,
      lastFlushMs: 0,
    };
  }

  backlog(): readonly BacklogEntry[] {
    return this.left;
  }

  onBacklog(listener: (added: readonly BacklogEntry[]) => void): void {
    this.listeners.push(listener);
  }

  /** Records that are in the journal although their caller was told 503. */
  settleInDoubt(records: readonly PipelineRecord[]): void {
    for (const record of records) this.books.journal.set(record.id, record);
    const added = records.map(entryOf);
    this.left = [...this.left, ...added];
    for (const listener of this.listeners) listener(added);
  }

  private openFor(id: string): ReadonlySet<string> | undefined {
    const { destinations = ['postgres', 'kafka', 'callback'] } = this.bounds;
    const parts = this.books.parts.get(id);
    return parts && new Set(destinations.filter((name) => !parts.has(name)));
  }

  async load(ids: readonly string[], credit: Lot, origin: Origin): Promise<PipelineRecord[]> {
    const loaded = new Set(ids);
    this.left = this.left.filter((entry) => !loaded.has(entry.id));
    return ids.flatMap((id) => {
      const record = this.books.journal.get(id);
      if (record === undefined) return [];
      const body = record.body ?? Buffer.alloc(0);
      const again: PipelineRecord = {
        ...record,
        origin,
        credit,
        sizeBytes: entryOf(record).sizeBytes,
        payload: JSON.parse(body.toString()) as unknown,
        stage: 'IngressProcessing',
        attempts: 0,
        failures: undefined,
        verdict: { kind: 'accepted' },
        keyBytes: undefined,
        unsafeNumber: undefined,
        deliverTo: this.openFor(id),
        terminal: undefined,
      };
      return [again];
    });
  }
}

/** The ends of the records of an InMemoryJournal. */
export class InMemoryAcknowledgments extends Acknowledgments {
  constructor(private readonly books: InMemoryBooks) {
    super();
  }

  async finish(endings: readonly Ending[]): Promise<readonly RefusedEnding[]> {
    const refused: RefusedEnding[] = [];
    // As in one transaction: parts first.
    const isPart = ({ step }: Ending): boolean => step === 'part';
    const ordered = [...endings.filter(isPart), ...endings.filter((each) => !isPart(each))];
    for (const given of ordered) {
      const ending = { ...given, externalId: given.externalId?.toString() };
      const error = refusalOf(ending);
      if (error !== undefined) refused.push({ ending: given, error, sqlState: '22P02' });
      else if (isPart(ending)) this.enterPart(ending);
      else if (this.takeOut(ending.record)) {
        this.books.ended.set(ending.record.id, ending);
        this.write(ending);
      }
    }
    return refused;
  }

  private enterPart(ending: Ending): void {
    const { record, destination, output } = ending;
    const hasEnded =
      record.source === 'kafka'
        ? this.books.ended.has(record.id)
        : !this.books.journal.has(record.id);
    if (output !== undefined && hasEnded) return;
    const rows = output === undefined ? [] : (this.books.outputs.get(output.table) ?? []);
    if (!rows.some((row) => row.record.id === record.id)) this.write(ending);
    if (record.source === 'kafka') return;
    const parts = this.books.parts.get(record.id) ?? new Map<string, Ending>();
    this.books.parts.set(record.id, parts);
    if (!parts.has(destination)) parts.set(destination, ending);
  }

  /** Whether the record has not ended yet: a Kafka record is in no journal, its broker has it. */
  private takeOut({ id, source }: PipelineRecord): boolean {
    return source === 'kafka' ? !this.books.ended.has(id) : this.books.journal.delete(id);
  }

  private write(ending: Ending): void {
    if (ending.output === undefined) return;
    const rows = this.books.outputs.get(ending.output.table) ?? [];
    this.books.outputs.set(ending.output.table, rows);
    rows.push(ending);
  }
}

function entryOf(record: PipelineRecord): BacklogEntry {
  return { id: record.id, sizeBytes: journalRowOf(record).bytes };
}

function nameOfKey({ tenant, idempotencyKey }: PipelineRecord): string | undefined {
  return idempotencyKey && JSON.stringify([tenant, idempotencyKey.key]);
}

/** The table takes JSON only. */
function refusalOf({ output }: Ending): Error | undefined {
  if (output === undefined) return undefined;
  try {
    JSON.parse(output.payload.toString());
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
