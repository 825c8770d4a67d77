import type { Clock } from '#libs/flow-control';
import { NEVER_MS } from '../pipeline/expiry.js';
import { PRIORITIES, type PipelineRecord } from '../pipeline/record.js';
import { byteaArray, int2Array, textArray, uuidArray } from './binary-array.js';
import type { DestinationCodes } from './destination-codes.js';
import { LedgerUnavailableError } from './errors/ledger-unavailable.error.js';
import { OutcomeUnknownError } from './errors/outcome-unknown.error.js';
import { RecordRefusedError } from './errors/record-refused.error.js';
import type { FlushCall } from './flush-queue.js';
import { type JournalSnapshot, NO_REPLAYS, type Replay } from './journal.port.js';
import {
  type FoundKey,
  hasKeys,
  keyColumns,
  type ReplaysByRecord,
  replaysIn,
  replaysOf,
} from './keyed-flush.js';
import type { Ledger } from './ledger.js';
import { SessionClosedError, type Statement } from './ledger-session.js';
import type { LeaseTokens } from './leases.js';
import { asError, failureOf, sqlStateOf } from './sql-state.js';
import { KEYED_FLUSH } from './statements/idempotency.statements.js';
import { DISCARD, FLUSH, SIZES } from './statements/journal.statements.js';

/** A record as the journal stores it. */
export interface JournalRow {
  readonly record: PipelineRecord;
  readonly headers: Buffer | null;
  readonly bytes: number;
}

export function journalRowOf(record: PipelineRecord): JournalRow {
  const headers = record.headers === undefined ? null : Buffer.from(JSON.stringify(record.headers));
  return { record, headers, bytes: (record.body?.length ?? 0) + (headers?.length ?? 0) };
}

type Call = FlushCall<JournalRow, unknown>;
type Answer = readonly Replay[] | Error;
type FlushRow = ['own' | 'taken' | 'mark', string | null, string | null] | FoundKey;

interface Flush {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

/** The mark of a flush after a gain of partitions (O5). */
const NO_MARK = '0';
/** SQLSTATE class of a transaction that lost against another one; not committed. */
const ROLLED_BACK = '40';
const MAX_ATTEMPTS = 3;
const NO_DESTINATION = '';
const EMPTY = Buffer.alloc(0);

/**
 * Writes batches to the journal and reads the answers, in the order of O2: partitions that are not ours, rows that were
 * handed over, own records, and only then the callers. Never rejects: every call has its answer.
 */
export class JournalFlush {
  private mark = NO_MARK;
  private markGeneration = -1;
  private flushes = 0;
  private flushedRecords = 0;
  private replayedRecords = 0;
  private lastFlushMs = 0;

  constructor(
    private readonly ledger: Ledger,
    private readonly destinations: DestinationCodes,
    private readonly clock: Clock,
  ) {}

  counters(): Pick<
    JournalSnapshot,
    'flushes' | 'flushedRecords' | 'replayedRecords' | 'lastFlushMs'
  > {
    const { flushes, flushedRecords, replayedRecords, lastFlushMs } = this;
    return { flushes, flushedRecords, replayedRecords, lastFlushMs };
  }

  async append(calls: readonly Call[]): Promise<readonly Answer[]> {
    const tokens = this.ledger.ownTokens();
    if (tokens === undefined) return this.unavailable(calls);
    const { generation } = this.ledger;
    try {
      const { statement, values } = this.flushOf(calls, tokens, generation);
      const rows = await this.run<FlushRow>(statement, values);
      this.flushes += 1;
      return await this.enter(calls, { tokens, generation, rows });
    } catch (error) {
      return this.fail(calls, error, (part) => this.append(part));
    }
  }

  async discard(calls: readonly Call[]): Promise<readonly Answer[]> {
    try {
      await this.destinations.learn([NO_DESTINATION]);
    } catch (error) {
      // Nothing of the records has been sent.
      return this.unavailable(calls, error);
    }
    try {
      await this.run(DISCARD, this.discardValues(calls));
      return calls.map(() => NO_REPLAYS);
    } catch (error) {
      return this.fail(calls, error, (part) => this.discard(part));
    }
  }

  private async run<Row extends unknown[]>(
    statement: Statement,
    values: readonly unknown[],
  ): Promise<Row[]> {
    const sentAtMs = this.clock.now();
    const watch = this.ledger.watchdog.watch(() => void this.ledger.tooSlow());
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const { rows } = await this.ledger.sessions.flush.query<Row>(statement, values);
          return rows;
        } catch (error) {
          const isRetried = sqlStateOf(error)?.startsWith(ROLLED_BACK) === true;
          if (!isRetried || attempt === MAX_ATTEMPTS) throw error;
        }
      }
    } finally {
      watch.done();
      this.lastFlushMs = this.clock.now() - sentAtMs;
    }
  }

  /** Reads the answer of a committed flush, in the order of O2. */
  private async enter(
    calls: readonly Call[],
    flush: {
      readonly tokens: LeaseTokens;
      readonly generation: number;
      readonly rows: readonly FlushRow[];
    },
  ): Promise<readonly Answer[]> {
    const owned = new Set<number>();
    const taken: string[] = [];
    const found: FoundKey[] = [];
    for (const [kind, number, id] of flush.rows) {
      if (kind === 'own') owned.add(Number(number));
      else if (kind === 'taken') taken.push(String(id));
      else if (kind === 'mark') this.keepMark(String(number), flush.generation);
      else found.push([kind, number, id]);
    }
    const replays = found.length === 0 ? undefined : replaysOf(found, calls);
    const answers = calls.map((call) => this.answerOf(call, owned, replays));
    if (owned.size < flush.tokens.partitions.size) {
      const detail = 'Another replica has taken partitions of this one.';
      this.ledger.doubt({ reason: 'partitions-elsewhere', detail });
    } else if (taken.length > 0) {
      await this.takeOver(taken);
    }
    return answers;
  }

  /** O5: only a flush with the tokens of now may move the mark. */
  private keepMark(mark: string, generation: number): void {
    if (generation !== this.ledger.generation) return;
    this.mark = mark;
    this.markGeneration = generation;
  }

  /**
   * Own records are known from here on. O3: a record whose partition is not ours any more belongs to whoever has it, or to
   * the next load; that is a whole call's answer. Replays were not stored.
   */
  private answerOf(call: Call, owned: ReadonlySet<number>, replays?: ReplaysByRecord): Answer {
    if (!call.items.every(({ record }) => owned.has(record.partition))) {
      return new OutcomeUnknownError(call.items.length);
    }
    const replayed = replays === undefined ? NO_REPLAYS : replaysIn(call.items, replays);
    for (const { record, bytes } of call.items) {
      if (replays?.has(record) !== true) this.ledger.level.add(record.id, bytes);
    }
    this.flushedRecords += call.items.length - replayed.length;
    this.replayedRecords += replayed.length;
    return replayed;
  }

  /** Puts rows that another process stored for us in line, before the callers of this flush are answered. */
  private async takeOver(ids: readonly string[]): Promise<void> {
    try {
      const { rows } = await this.ledger.sessions.flush.query<[string, number]>(SIZES, [
        uuidArray(ids),
      ]);
      this.ledger.backlog.add(rows.map(([id, sizeBytes]) => ({ id, sizeBytes })));
    } catch (error) {
      // They are out of `handover` and in the journal: the next load finds them.
      const detail = `Records handed over could not be read: ${asError(error).message}`;
      this.ledger.doubt({ reason: 'database-away', detail });
    }
  }

  private async fail(
    calls: readonly Call[],
    error: unknown,
    again: (part: readonly Call[]) => Promise<readonly Answer[]>,
  ): Promise<readonly Answer[]> {
    if (error instanceof SessionClosedError) return this.unavailable(calls, error);
    const failure = failureOf(error);
    if (failure === 'away') {
      const detail = `The database was lost during a flush: ${asError(error).message}`;
      this.ledger.doubt({ reason: 'database-away', detail });
      return calls.map((call) => new OutcomeUnknownError(call.items.length, { cause: error }));
    }
    if (failure !== 'refused') return this.unavailable(calls, error);
    if (calls.length === 1) {
      return [new RecordRefusedError(sqlStateOf(error) ?? '', { cause: error })];
    }
    const half = calls.length >>> 1;
    const first = await again(calls.slice(0, half));
    return [...first, ...(await again(calls.slice(half)))];
  }

  private unavailable(calls: readonly Call[], cause?: unknown): readonly Answer[] {
    const { closed } = this.ledger;
    // While open it is the statement that can't be run now (a lock, a full disk, a missing table).
    const reason = this.ledger.isOpen ? 'too-slow' : closed.reason;
    const detail = cause === undefined ? closed.detail : asError(cause).message;
    return calls.map(() => new LedgerUnavailableError(reason, detail, { cause }));
  }

  private flushOf(calls: readonly Call[], tokens: LeaseTokens, generation: number): Flush {
    const rows = calls.flatMap((call) => call.items);
    const values = this.flushValues(rows, tokens, generation);
    if (!hasKeys(rows)) return { statement: FLUSH, values };
    const ttl = this.ledger.idempotencyTtl;
    return { statement: KEYED_FLUSH, values: [...values, ...keyColumns(rows), ttl] };
  }

  private flushValues(
    rows: readonly JournalRow[],
    tokens: LeaseTokens,
    generation: number,
  ): unknown[] {
    return [
      uuidArray(rows.map(({ record }) => record.id)),
      int2Array(rows.map(({ record }) => record.partition)),
      int2Array(rows.map(({ record }) => PRIORITIES.indexOf(record.priority))),
      textArray(rows.map(({ record }) => record.tenant)),
      textArray(rows.map(({ record }) => record.key ?? null)),
      byteaArray(rows.map(({ headers }) => headers)),
      byteaArray(rows.map(({ record }) => record.body ?? EMPTY)),
      tokens.array,
      generation === this.markGeneration ? this.mark : NO_MARK,
      this.ledger.instanceId,
      deadlinesOf(rows),
    ];
  }

  private discardValues(calls: readonly Call[]): unknown[] {
    const records = calls.flatMap((call) => call.items.map((row) => row.record));
    const code = this.destinations.of(NO_DESTINATION);
    return [
      uuidArray(records.map((record) => record.id)),
      textArray(records.map((record) => record.tenant)),
      int2Array(records.map(() => code)),
      textArray(records.map(discardReasonOf)),
      this.ledger.instanceId,
    ];
  }
}

/** Null when no record has one, as nearly always: a column less to write and to read. */
function deadlinesOf(rows: readonly JournalRow[]): Buffer | null {
  if (rows.every(({ record }) => record.expiresAtMs === NEVER_MS)) return null;
  return textArray(
    rows.map(({ record: { expiresAtMs } }) =>
      expiresAtMs === NEVER_MS ? null : String(expiresAtMs),
    ),
  );
}

function discardReasonOf({ verdict }: PipelineRecord): string | null {
  return verdict?.kind === 'discarded' ? verdict.reason : null;
}
