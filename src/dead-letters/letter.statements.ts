import type { Statement } from '../ledger/ledger-session.js';
import { OUTCOME } from '../ledger/statements/acknowledge.statements.js';

/** The event of parameter `event`, with the database's time, behind the others. */
const trailWith = (event: string): string =>
  `trail || (jsonb_build_object('at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) || ${event}::jsonb)`;

/** Letters that count towards the bound. */
export const COUNT_OPEN: Statement = {
  text: `SELECT count(*) FILTER (WHERE state = 'waiting')::int AS waiting, count(*) FILTER (WHERE state = 'redriving')::int AS redriving
FROM dead_letter WHERE state IN ('waiting', 'redriving')`,
};

/**
 * $1 record ids, $2 destinations, $3 tenants, $4 keys, $5 partitions, $6 priorities, $7 headers, $8 bodies, $9 reasons,
 * $10 stages, $11 attempts, $12 times of acceptance, $13 Kafka sources, $14 Kafka partitions, $15 offsets, $16 exact keys.
 * A letter that is there already takes the newer end.
 */
export const INSERT: Statement = {
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

/** $1 ids. All letters of their records, locked, in one order for everybody; as they are when the lock is there. */
export const LOCK: Statement = {
  text: `SELECT id, record_id, state, redrive_count, source IS NOT NULL
FROM dead_letter WHERE record_id IN (SELECT record_id FROM dead_letter WHERE id = ANY($1::bigint[]))
ORDER BY record_id, id FOR UPDATE`,
};

/** $1 id, $2 event. Of a letter that is locked and waits. */
export const START_REDRIVE: Statement = {
  text: `UPDATE dead_letter SET state = 'redriving', redrive_count = redrive_count + 1, trail = ${trailWith('$2')}
WHERE id = $1::bigint`,
};

/** $1 id, $2 event. */
export const DISCARD: Statement = {
  text: `UPDATE dead_letter SET state = 'discarded', trail = ${trailWith('$2')} WHERE id = $1::bigint`,
};

/** $1 id, $2 event. The record has reached another end. */
export const END_REDRIVE: Statement = {
  text: `UPDATE dead_letter SET state = 'redriven', trail = ${trailWith('$2')} WHERE id = $1::bigint`,
};

/** $1 id, $2 event, $3 reason, $4 stage, $5 destination, $6 attempts. The record has died again: what was accepted stays as it is. */
export const RETURN_LETTER: Statement = {
  text: `UPDATE dead_letter d SET state = 'waiting', trail = ${trailWith('$2')}, reason = $3, stage = $4,
  destination = CASE WHEN EXISTS (SELECT FROM dead_letter o WHERE o.record_id = d.record_id AND o.destination = $5) THEN destination ELSE $5 END,
  attempts = attempts || $6::jsonb, dead_lettered_at = now()
WHERE id = $1::bigint`,
};

/** $1 id, $2 reason, $3 stage, $4 destination, $5 attempts. A letter of another destination that gave the record up as well. */
export const ADD_LETTER: Statement = {
  text: `INSERT INTO dead_letter
  (record_id, destination, tenant, key, partition, priority, headers, payload, reason, stage, attempts, accepted_at,
   source, source_partition, source_offset, key_bytes)
SELECT record_id, $4, tenant, key, partition, priority, headers, payload, $2, $3, $5::jsonb, accepted_at,
  source, source_partition, source_offset, key_bytes
FROM dead_letter WHERE id = $1::bigint
ON CONFLICT (record_id, destination) DO NOTHING`,
};

/** $1 ids that are under way, $2 limit. Letters that are to be taken up, and what their credits stand for. */
export const TO_TAKE_UP: Statement = {
  text: `SELECT id, record_id, coalesce(octet_length(payload), 0) + coalesce(octet_length(headers), 0) AS size_bytes
FROM dead_letter WHERE state = 'redriving' AND id <> ALL($1::bigint[]) ORDER BY id LIMIT $2`,
};

/** $1 id. A letter that is still to be sent again; the last column: the destinations that have its record already. */
export const TAKE_UP: Statement = {
  text: `SELECT id, record_id, redrive_count, destination, tenant, key, key_bytes, partition, headers, payload,
  (extract(epoch FROM accepted_at) * 1000)::bigint AS accepted_ms, source, source_partition, source_offset,
  ARRAY(SELECT n.name FROM acknowledgment a JOIN destination n ON n.code = a.destination
    WHERE d.source IS NULL AND a.record_id = CASE WHEN d.source IS NULL THEN d.record_id::uuid END AND a.outcome = ${OUTCOME.acknowledged}
    UNION ALL SELECT n.name FROM acknowledgment_position p JOIN destination n ON n.code = p.destination
    WHERE p.source = d.source AND p.partition = d.source_partition AND p.offset_ = d.source_offset AND p.outcome = ${OUTCOME.acknowledged}) AS acknowledged_by
FROM dead_letter d WHERE id = $1::bigint AND state = 'redriving'`,
};
