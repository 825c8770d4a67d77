import type { RowReader } from '../ledger/row-reader.js';
import { type FailedAttempt, PRIORITIES } from '../pipeline/record.js';
import type {
  DeadLetterDetail,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterSummary,
  LetterState,
  SummaryColumn,
} from './dead-letter.js';
import { cursorText, type DeadLetterCursor } from './dead-letter-cursor.js';
import type { LetterEvent } from '../ledger/letter-trail.js';

/** bigint columns come as text. */
interface LetterRow {
  readonly id: string;
  readonly record_id: string;
  readonly destination: string;
  readonly tenant: string;
  readonly key: string | null;
  readonly key_bytes: Buffer | null;
  readonly priority: number;
  readonly reason: string;
  readonly stage: string;
  readonly state: LetterState;
  readonly tries: number;
  readonly last_error: string | null;
  readonly size_bytes: number;
  readonly accepted_at: Date;
  readonly dead_lettered_at: Date;
  readonly at: string;
  readonly redrive_count: number;
}

interface DetailRow extends LetterRow {
  readonly payload: Buffer | null;
  readonly headers: Buffer | null;
  readonly attempts: FailedAttempt[];
  readonly trail: LetterEvent[];
}

type GroupRow = Readonly<Partial<Record<SummaryColumn, string>>> & {
  readonly count: number;
  readonly oldest: Date;
  readonly newest: Date;
};

export interface DeadLetterPage {
  readonly letters: readonly DeadLetterSummary[];
  /** Where the next page begins; null on the last one. */
  readonly next: string | null;
}

/** Reasons, stages and destinations are closed sets; should one not be, an answer must not grow with it. */
const MAX_GROUPS = 1000;

const COLUMNS = `id, record_id, destination, tenant, key, key_bytes, priority, reason, stage, state, redrive_count,
  jsonb_array_length(attempts) AS tries, attempts -> -1 ->> 'error' AS last_error,
  coalesce(octet_length(payload), 0) + coalesce(octet_length(headers), 0) AS size_bytes, accepted_at, dead_lettered_at,
  to_char(dead_lettered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`;

const FIND = `SELECT ${COLUMNS}, payload, headers, attempts, trail FROM dead_letter WHERE id = $1::bigint`;

/**
 * Reads dead letters through the pool, never on the ledger's connections.
 *
 * DR1 pages are newest first, by time and id: letters that come meanwhile move none of the later ones.
 * DR2 a page and a summary are bounded; a list holds no payload.
 */
export class DeadLetterReader {
  constructor(private readonly database: RowReader) {}

  /** At most `limit` letters, behind the cursor. */
  async list(
    filter: DeadLetterFilter,
    { limit, after }: { readonly limit: number; readonly after?: DeadLetterCursor },
  ): Promise<DeadLetterPage> {
    const where = whereOf(filter);
    if (after !== undefined) {
      const [at, id] = [where.add(after.at), where.add(after.id)];
      where.conditions.push(`(dead_lettered_at, id) < (${at}::timestamptz, ${id}::bigint)`);
    }
    const rows = await this.database.query<LetterRow[]>(
      `SELECT ${COLUMNS} FROM dead_letter ${where.text()}
       ORDER BY dead_lettered_at DESC, id DESC LIMIT ${where.add(limit + 1)}`,
      where.values,
    );
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const hasMore = rows.length > limit && last !== undefined;
    return { letters: shown.map(summaryOf), next: hasMore ? cursorText(last) : null };
  }

  /** Undefined when there is none of this id. */
  async find(id: string): Promise<DeadLetterDetail | undefined> {
    const [row] = await this.database.query<DetailRow[]>(FIND, [id]);
    if (row === undefined) return undefined;
    const headers = row.headers === null ? {} : JSON.parse(row.headers.toString());
    const { payload, attempts: failures, trail } = row;
    return { ...summaryOf(row), payload, headers, failures, trail };
  }

  /** Counts the letters of each combination, largest first. */
  async summary(
    by: readonly SummaryColumn[],
    filter: DeadLetterFilter,
  ): Promise<readonly DeadLetterGroup[]> {
    const where = whereOf(filter);
    const columns = by.join(', ');
    return this.database.query<GroupRow[]>(
      `SELECT ${columns}, count(*)::int AS count, min(dead_lettered_at) AS oldest, max(dead_lettered_at) AS newest
       FROM dead_letter ${where.text()}
       GROUP BY ${columns} ORDER BY count DESC, ${columns} LIMIT ${MAX_GROUPS}`,
      where.values,
    );
  }
}

/** Conditions and their parameters, numbered as they are added. */
class Where {
  readonly conditions: string[] = [];
  readonly values: unknown[] = [];

  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }

  text(): string {
    return this.conditions.length === 0 ? '' : `WHERE ${this.conditions.join(' AND ')}`;
  }
}

function whereOf(filter: DeadLetterFilter): Where {
  const where = new Where();
  for (const column of ['reason', 'stage', 'key', 'destination', 'state'] as const) {
    const value = filter[column];
    if (value !== undefined) where.conditions.push(`${column} = ${where.add(value)}`);
  }
  const { since, until } = filter;
  if (since !== undefined) where.conditions.push(`dead_lettered_at >= ${where.add(since)}`);
  if (until !== undefined) where.conditions.push(`dead_lettered_at < ${where.add(until)}`);
  return where;
}

function summaryOf(row: LetterRow): DeadLetterSummary {
  return {
    id: row.id,
    recordId: row.record_id,
    destination: row.destination,
    tenant: row.tenant,
    key: row.key_bytes === null ? row.key : row.key_bytes.toString('base64'),
    priority: PRIORITIES[row.priority] ?? 'normal',
    reason: row.reason,
    stage: row.stage,
    state: row.state,
    attempts: row.tries,
    lastError: row.last_error,
    sizeBytes: row.size_bytes,
    acceptedAt: row.accepted_at,
    deadLetteredAt: row.dead_lettered_at,
    redriveCount: row.redrive_count,
  };
}
