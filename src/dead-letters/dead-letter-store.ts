import { byteaArray, int2Array, textArray } from '../ledger/binary-array.js';
import {
  type DeadLetter,
  DeadLetterWriter,
  type TransactionSession,
} from '../ledger/dead-letter-writer.port.js';
import { PRIORITIES } from '../pipeline/record.js';

export interface DeadLetterBounds {
  /** EGRESS_MAX_DEAD_LETTER_QUEUE_SIZE */
  readonly maxLetters: number;
}

const COUNT = {
  text: `SELECT count(*)::int FROM dead_letter WHERE state IN ('waiting', 'redriving')`,
};

/**
 * A record that died again after a redrive keeps its letter: the newer end replaces the older one, attempts are added.
 * $1 record ids, $2 destinations, $3 tenants, $4 keys, $5 partitions, $6 priorities, $7 headers, $8 bodies, $9 reasons,
 * $10 stages, $11 attempts, $12 times of acceptance, $13 Kafka sources, $14 Kafka partitions, $15 offsets, $16 exact keys
 */
const INSERT = {
  name: 'dead-letters-insert',
  text: `INSERT INTO dead_letter AS d
  (record_id, destination, tenant, key, partition, priority, headers, payload, reason, stage, attempts, accepted_at,
   source, source_partition, source_offset, key_bytes)
SELECT record_id, destination, tenant, key, partition, priority, headers, payload, reason, stage, attempts::jsonb, accepted_at,
  source, source_partition, source_offset, key_bytes
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::smallint[], $7::bytea[], $8::bytea[],
  $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::int4[], $14::int4[], $15::int8[], $16::bytea[])
  WITH ORDINALITY u (record_id, destination, tenant, key, partition, priority, headers, payload, reason, stage, attempts, accepted_at,
    source, source_partition, source_offset, key_bytes, ord)
ORDER BY ord
ON CONFLICT (record_id, destination) DO UPDATE
SET reason = excluded.reason, stage = excluded.stage, attempts = d.attempts || excluded.attempts,
  payload = excluded.payload, headers = excluded.headers, dead_lettered_at = now(), state = 'waiting'`,
};

/** The table of dead letters: written with the end of their records, counted in memory. */
export class DeadLetterStore extends DeadLetterWriter {
  private letters = 0;

  constructor(private readonly bounds: DeadLetterBounds) {
    super();
  }

  /** Letters that wait for somebody to look at them. */
  get count(): number {
    return this.letters;
  }

  /** Whether another letter would exceed the bound: then the stages stop to take credits. */
  get isFull(): boolean {
    return this.letters >= this.bounds.maxLetters;
  }

  async insert(session: TransactionSession, letters: readonly DeadLetter[]): Promise<void> {
    const records = letters.map(({ ending }) => ending.record);
    await session.query(INSERT, [
      textArray(records.map((record) => record.id)),
      textArray(letters.map(({ ending }) => ending.destination)),
      textArray(records.map((record) => record.tenant)),
      textArray(letters.map(keyOf)),
      int2Array(records.map((record) => record.partition)),
      int2Array(records.map((record) => PRIORITIES.indexOf(record.priority))),
      byteaArray(letters.map((letter) => letter.headers)),
      byteaArray(letters.map((letter) => letter.body)),
      textArray(letters.map(({ ending }) => ending.terminal.reason ?? 'unknown')),
      textArray(records.map((record) => record.stage)),
      textArray(records.map((record) => JSON.stringify(record.failures ?? []))),
      letters.map((letter) => letter.acceptedAt),
      letters.map(({ position }) => position?.source ?? null),
      letters.map(({ position }) => position?.partition ?? null),
      letters.map(({ position }) => position?.offset ?? null),
      byteaArray(letters.map(({ position }) => position?.keyBytes ?? null)),
    ]);
  }

  committed(letters: number): void {
    this.letters += letters;
  }

  async recount(session: TransactionSession): Promise<void> {
    const { rows } = await session.query<[number]>(COUNT);
    this.letters = rows[0]?.[0] ?? 0;
  }
}

/** What text can't keep is in the letter's `keyBytes`; a letter must always be writable. */
function keyOf({ ending, position }: DeadLetter): string | null {
  return position?.keyBytes == null ? (ending.record.key ?? null) : null;
}
