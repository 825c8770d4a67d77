import type { Statement } from '../ledger-session.js';
import { OUTCOME } from './acknowledge.statements.js';

/** Of both flush statements: which partitions are ours, locked until the commit. */
export const OWN = `own AS MATERIALIZED (SELECT partition FROM partition_lease WHERE token = ANY($8::bigint[]) FOR KEY SHARE)`;

/** Of both flush statements, behind `stored`: what goes to another replica, what one has left for us, and the count. */
export const BEHIND_STORED = `handed AS (
  INSERT INTO handover (partition, xid, seq, record_id)
  SELECT partition, pg_current_xact_id(), seq, record_id FROM stored WHERE partition NOT IN (SELECT partition FROM own)),
taken AS (
  DELETE FROM handover WHERE partition = ANY(ARRAY(SELECT partition FROM own)) AND xid >= $9::xid8
  RETURNING seq, record_id),
counted AS (
  INSERT INTO total AS t (instance, slot, source, accepted)
  SELECT $10, 0, 'rest', count(*) FROM stored HAVING count(*) > 0
  ON CONFLICT (instance, slot, source) DO UPDATE SET accepted = t.accepted + excluded.accepted)`;

/**
 * $1 ids, $2 partitions, $3 priorities, $4 tenants, $5 keys, $6 headers, $7 payloads, $8 own tokens, $9 mark, $10 instance,
 * $11 deadlines in epoch ms, null when no record has one.
 *
 * Answers own partitions, rows taken from `handover`, and the mark of the next flush. FOR KEY SHARE is what keeps the
 * partitions' owner until the commit; ORDER BY ord makes `seq` the order of the batch.
 */
export const FLUSH: Statement = {
  name: 'ledger-flush',
  text: `WITH ${OWN},
stored AS (
  INSERT INTO journal (record_id, partition, priority, tenant, key, headers, payload, expires_at)
  SELECT record_id, partition, priority, tenant, key, headers, payload, to_timestamp(expires_ms::float8 / 1000)
  FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $11::text[])
    WITH ORDINALITY u (record_id, partition, priority, tenant, key, headers, payload, expires_ms, ord)
  ORDER BY ord
  RETURNING seq, record_id, partition),
${BEHIND_STORED}
SELECT 'own', partition::bigint, NULL::uuid FROM own
UNION ALL SELECT 'taken', seq, record_id FROM taken
UNION ALL SELECT 'mark', pg_snapshot_xmin(pg_current_snapshot())::text::bigint, NULL`,
};

/** $1 ids. What they weigh, in the order of acceptance. */
export const SIZES: Statement = {
  text: `SELECT record_id, octet_length(payload) + coalesce(octet_length(headers), 0)
FROM journal WHERE record_id = ANY($1::uuid[]) ORDER BY seq`,
};

/**
 * $1 ids, $2 tenants, $3 destinations, $4 reasons, $5 instance. The end of records that never were in the journal: they
 * were accepted and discarded at once.
 */
export const DISCARD: Statement = {
  name: 'ledger-discard',
  text: `WITH ended AS (
  INSERT INTO acknowledgment (record_id, tenant, destination, accepted_at, outcome, attempts, reason)
  SELECT record_id, tenant, destination, now(), 1, 0, reason
  FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::text[]) u (record_id, tenant, destination, reason)
  RETURNING 1)
INSERT INTO total AS t (instance, slot, source, accepted, discarded)
SELECT $5, 0, 'rest', count(*), count(*) FROM ended HAVING count(*) > 0
ON CONFLICT (instance, slot, source) DO UPDATE
SET accepted = t.accepted + excluded.accepted, discarded = t.discarded + excluded.discarded`,
};

/** $1 ids. Last come the destinations that have acknowledged it already, null for none, and its deadline. */
export const LOAD_RECORDS: Statement = {
  name: 'ledger-load',
  text: `SELECT record_id, (extract(epoch FROM accepted_at) * 1000)::bigint, partition, priority, tenant, key, headers, payload,
  (SELECT array_agg(d.name) FROM acknowledgment a JOIN destination d ON d.code = a.destination
   WHERE a.record_id = j.record_id AND a.outcome = ${OUTCOME.acknowledged}),
  (extract(epoch FROM expires_at) * 1000)::bigint
FROM journal j WHERE record_id = ANY($1::uuid[])`,
};
