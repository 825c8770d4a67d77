import type { Statement } from '../ledger-session.js';
import { BEHIND_STORED, OWN } from './journal.statements.js';

/**
 * FLUSH of a batch in which a record has an idempotency key: $1..$11 as there, $12 keys, $13 fingerprints, $14 how long
 * keys are kept.
 *
 * Answers besides: `replayed` or `reused` with the place of a record that was not stored and the id that has its key. The
 * update of a row that is there changes nothing, unless it has expired; it waits for a flush that holds the key, and
 * returns what that one has committed, which a look-up would not see. Sorted, so that two flushes with the same keys lock
 * them in one order. A key must not come twice in a batch (21000).
 */
export const KEYED_FLUSH: Statement = {
  name: 'ledger-flush-keyed',
  text: `WITH ${OWN},
input AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $11::text[], $12::text[], $13::bytea[])
    WITH ORDINALITY u (record_id, partition, priority, tenant, key, headers, payload, expires_ms, idempotency_key, fingerprint, ord)),
kept AS (
  INSERT INTO idempotency_key AS k (tenant, idempotency_key, fingerprint, record_id, expires_at)
  SELECT tenant, idempotency_key, fingerprint, record_id, now() + $14::interval
  FROM input WHERE idempotency_key IS NOT NULL ORDER BY tenant, idempotency_key
  ON CONFLICT (tenant, idempotency_key) DO UPDATE SET
    fingerprint = CASE WHEN k.expires_at < now() THEN excluded.fingerprint ELSE k.fingerprint END,
    record_id = CASE WHEN k.expires_at < now() THEN excluded.record_id ELSE k.record_id END,
    expires_at = CASE WHEN k.expires_at < now() THEN excluded.expires_at ELSE k.expires_at END
  RETURNING tenant, idempotency_key, fingerprint, record_id),
found AS MATERIALIZED (
  SELECT i.ord, k.record_id, k.fingerprint = i.fingerprint AS same
  FROM kept k JOIN input i USING (tenant, idempotency_key) WHERE k.record_id <> i.record_id),
stored AS (
  INSERT INTO journal (record_id, partition, priority, tenant, key, headers, payload, expires_at)
  SELECT record_id, partition, priority, tenant, key, headers, payload, to_timestamp(expires_ms::float8 / 1000)
  FROM input WHERE ord NOT IN (SELECT ord FROM found)
  ORDER BY ord
  RETURNING seq, record_id, partition),
${BEHIND_STORED}
SELECT 'own', partition::bigint, NULL::uuid FROM own
UNION ALL SELECT CASE WHEN same THEN 'replayed' ELSE 'reused' END, ord, record_id FROM found
UNION ALL SELECT 'taken', seq, record_id FROM taken
UNION ALL SELECT 'mark', pg_snapshot_xmin(pg_current_snapshot())::text::bigint, NULL`,
};

/**
 * $1 at most. Passes keys over that a flush holds, so it waits for nobody while it holds others. By their place in the
 * table, as joined by name the planner may read all of it.
 */
export const TRIM_KEYS = `WITH gone AS (
  DELETE FROM idempotency_key WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM idempotency_key WHERE expires_at < now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED))
  RETURNING 1)
SELECT count(*)::int AS trimmed FROM gone`;
