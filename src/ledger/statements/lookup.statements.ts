/** $1 id. Where a record is: at most one of the three has it, unless an end is entered between two of the reads. */
export const FIND = `SELECT 'journal' AS book, tenant, accepted_at, key, priority, NULL::timestamptz AS ended_at, NULL AS destination,
  NULL::smallint AS outcome, NULL::smallint AS attempts, NULL AS external_id, NULL AS reason, NULL::jsonb AS failures
FROM journal WHERE record_id = $1::uuid
UNION ALL
SELECT 'acknowledgment', a.tenant, a.accepted_at, NULL, NULL, a.acknowledged_at, d.name, a.outcome, a.attempts, a.external_id, a.reason, NULL
FROM acknowledgment a JOIN destination d ON d.code = a.destination WHERE a.record_id = $1::uuid
UNION ALL
SELECT 'dead_letter', tenant, accepted_at, key, priority, dead_lettered_at, destination, NULL, NULL, NULL, reason, attempts
FROM dead_letter WHERE record_id = $1::text`;

/** The books against themselves, in one snapshot. */
export const TOTALS = `SELECT source, sum(accepted)::text AS accepted, sum(acknowledged)::text AS acknowledged,
  sum(dead_lettered)::text AS "deadLettered", sum(discarded)::text AS discarded, (SELECT count(*) FROM journal)::text AS journal
FROM total GROUP BY source
UNION ALL SELECT 'rest', '0', '0', '0', '0', (SELECT count(*) FROM journal)::text WHERE NOT EXISTS (SELECT FROM total WHERE source = 'rest')`;
