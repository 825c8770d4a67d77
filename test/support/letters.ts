import type { Pool } from 'pg';
import type { FailedAttempt } from '../../src/pipeline/record.js';

export interface WrittenLetter {
  readonly recordId?: string;
  readonly destination?: string;
  readonly key?: string;
  readonly reason?: string;
  readonly stage?: string;
  readonly state?: string;
  readonly payload?: Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly attempts?: readonly FailedAttempt[];
  readonly at?: Date;
}

let written = 0;

/** Writes a letter as it stands in the table, without its record's books; returns its id. */
export async function writeLetter(pool: Pool, letter: WrittenLetter = {}): Promise<string> {
  written += 1;
  const { payload = Buffer.from('{"n":1}'), headers, attempts = [], at = new Date() } = letter;
  const { rows } = await pool.query<{ id: string }>(
    `INSERT INTO dead_letter (record_id, destination, tenant, key, partition, priority, headers, payload, reason, stage,
       attempts, accepted_at, dead_lettered_at, state)
     VALUES ($1, $2, 'default', $3, 0, 2, $4, $5, $6, $7, $8, $9, $9, $10) RETURNING id`,
    [
      letter.recordId ?? `orders:0:${written}`,
      letter.destination ?? 'postgres',
      letter.key ?? null,
      headers === undefined ? null : Buffer.from(JSON.stringify(headers)),
      payload,
      letter.reason ?? 'rejected',
      letter.stage ?? 'FinalSink',
      JSON.stringify(attempts),
      at,
      letter.state ?? 'waiting',
    ],
  );
  return rows[0]!.id;
}
