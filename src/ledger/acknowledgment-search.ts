/**
 * Acknowledgments of REST records by time and kind, and those of one record, newest first; for operators.
 *
 * AS1 a page is at most `limit` rows, and a statement ends after `LONGEST_SEARCH_MS`: it shares the server with the flush.
 * AS2 pages follow the ids, which begin with the time of acceptance: what ends meanwhile moves no page.
 */
import type { DataSource } from 'typeorm';
import { uuidLowerBound } from '../database/acknowledgment-days.js';
import { parsePosition } from './kafka-position.js';
import { sqlStateOf } from './sql-state.js';
import { OUTCOME } from './statements/acknowledge.statements.js';
import { isUuid } from './uuid-v7.js';

export interface AcknowledgmentFilter {
  readonly recordId?: string;
  readonly destination?: string;
  readonly outcome?: keyof typeof OUTCOME;
  /** Accepted at or after it; epoch ms. */
  readonly sinceMs?: number;
  /** Accepted before it; epoch ms. */
  readonly untilMs?: number;
}

export interface AcknowledgmentRow {
  readonly recordId: string;
  readonly destination: string;
  readonly outcome: keyof typeof OUTCOME;
  readonly tenant: string;
  readonly attempts: number;
  readonly acceptedAt: Date;
  readonly acknowledgedAt: Date;
  readonly externalId: string | null;
  readonly reason: string | null;
}

/** The last row of a page; the next page begins behind it. */
export type AcknowledgmentCursor = Pick<AcknowledgmentRow, 'recordId' | 'destination'>;

/** The search took too long: the filter fits too few of too many rows. Narrow it by time or record. */
export class SearchTooBroadError extends Error {
  override readonly name = 'SearchTooBroadError';

  constructor() {
    super(
      `The search took longer than ${LONGEST_SEARCH_MS / 1000} s; narrow it by since and until.`,
    );
  }
}

const LONGEST_SEARCH_MS = 5000;
const QUERY_CANCELED = '57014';

const COLUMNS = `d.name AS destination, CASE a.outcome WHEN ${OUTCOME.discarded} THEN 'discarded' ELSE 'acknowledged' END AS outcome,
  a.tenant, a.attempts, a.accepted_at AS "acceptedAt", a.acknowledged_at AS "acknowledgedAt",
  a.external_id AS "externalId", a.reason`;

/** $1 id, $2 destination, $3 outcome, $4 first id, $5 id behind the last, $6 and $7 the cursor, $8 rows. */
const SEARCH = `SELECT a.record_id::text AS "recordId", ${COLUMNS}
FROM acknowledgment a JOIN destination d ON d.code = a.destination
WHERE ($1::uuid IS NULL OR a.record_id = $1) AND ($2::text IS NULL OR d.name = $2)
  AND ($3::smallint IS NULL OR a.outcome = $3)
  AND a.record_id >= $4::uuid AND a.record_id < $5::uuid
  AND ($6::uuid IS NULL OR (a.record_id, d.name) < ($6::uuid, $7::text))
ORDER BY a.record_id DESC, d.name DESC LIMIT $8`;

/** $1 topic, $2 incarnation, $3 partition, $4 offset, $5 id. */
const OF_POSITION = `SELECT $5::text AS "recordId", ${COLUMNS}
FROM kafka_source s JOIN acknowledgment_position a USING (source) JOIN destination d ON d.code = a.destination
WHERE s.topic = $1 AND s.incarnation = $2::int AND a.partition = $3::int AND a.offset_ = $4::bigint
ORDER BY d.name DESC`;

const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

export class AcknowledgmentSearch {
  constructor(private readonly database: Pick<DataSource, 'transaction' | 'query'>) {}

  /** Rejects with SearchTooBroadError (AS1). A Kafka record has rows only when it was not plainly acknowledged. */
  async find(
    filter: AcknowledgmentFilter,
    { limit, after }: { readonly limit: number; readonly after?: AcknowledgmentCursor },
  ): Promise<readonly AcknowledgmentRow[]> {
    const { recordId } = filter;
    if (recordId !== undefined && !isUuid(recordId)) return this.ofPosition(recordId);
    const values = [
      recordId ?? null,
      filter.destination ?? null,
      filter.outcome === undefined ? null : OUTCOME[filter.outcome],
      filter.sinceMs === undefined ? FIRST_ID : uuidLowerBound(filter.sinceMs),
      filter.untilMs === undefined ? LAST_ID : uuidLowerBound(filter.untilMs),
      after?.recordId ?? null,
      after?.destination ?? null,
      limit,
    ];
    try {
      return await this.database.transaction(async (manager) => {
        await manager.query(`SET LOCAL statement_timeout = ${LONGEST_SEARCH_MS}`);
        return manager.query<AcknowledgmentRow[]>(SEARCH, values);
      });
    } catch (error) {
      if (sqlStateOf(error) === QUERY_CANCELED) throw new SearchTooBroadError();
      throw error;
    }
  }

  private async ofPosition(id: string): Promise<readonly AcknowledgmentRow[]> {
    const position = parsePosition(id);
    if (position === undefined) return [];
    const { topic, incarnation, partition, offset } = position;
    const values = [topic, incarnation, partition, String(offset), id];
    return this.database.query<AcknowledgmentRow[]>(OF_POSITION, values);
  }
}
