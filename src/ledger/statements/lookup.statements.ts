/** $1 ids. Where records are: at most one of the three has a record, unless an end is entered between two of the reads. */
export const FIND = `SELECT record_id::text AS id, 'journal' AS book, tenant, accepted_at, key, priority, NULL::timestamptz AS ended_at, NULL AS destination,
  NULL::smallint AS outcome, NULL::smallint AS attempts, NULL AS external_id, NULL AS reason, NULL::jsonb AS failures,
  NULL AS state, NULL::int AS redrives, NULL::jsonb AS trail
FROM journal WHERE record_id = ANY($1::uuid[])
UNION ALL
SELECT a.record_id::text, 'acknowledgment', a.tenant, a.accepted_at, NULL, NULL, a.acknowledged_at, d.name, a.outcome, a.attempts, a.external_id, a.reason, NULL,
  NULL, NULL, NULL
FROM acknowledgment a JOIN destination d ON d.code = a.destination WHERE a.record_id = ANY($1::uuid[])
UNION ALL
SELECT record_id, 'dead_letter', tenant, accepted_at, key, priority, dead_lettered_at, destination, NULL, NULL, NULL, reason, attempts,
  state, redrive_count, trail
FROM dead_letter WHERE record_id = ANY($1::text[])`;

/** $1 topic, $2 incarnation, $3 partition, $4 offset. What the watermark and the runs say of a position of Kafka. */
export const FIND_POSITION = `SELECT k.start_offset AS start, k.low,
  CASE WHEN $4::bigint < k.low OR $4::bigint - k.low >= 8 * octet_length(k.done_above) THEN false
    ELSE get_bit(k.done_above, $4::bigint - k.low) = 1 END AS done_above,
  r.first_offset, r.last_offset, r.record_count, r.acknowledged_at
FROM kafka_source s JOIN kafka_watermark k USING (source)
LEFT JOIN LATERAL (
  SELECT * FROM acknowledgment_range a WHERE a.source = k.source AND a.partition = k.partition AND a.first_offset <= $4::bigint
  ORDER BY a.first_offset DESC LIMIT 1) r ON r.last_offset >= $4::bigint
WHERE s.topic = $1 AND s.incarnation = $2::int AND k.partition = $3::int`;

/** The same and $5, the id: ends that are more than a bit, as in FIND. */
export const FIND_POSITION_END = `SELECT 'acknowledgment' AS book, a.tenant, a.accepted_at, NULL AS key, NULL::smallint AS priority,
  a.acknowledged_at AS ended_at, d.name AS destination, a.outcome, a.attempts, a.external_id, a.reason, NULL::jsonb AS failures,
  NULL AS state, NULL::int AS redrives, NULL::jsonb AS trail
FROM kafka_source s JOIN acknowledgment_position a USING (source) JOIN destination d ON d.code = a.destination
WHERE s.topic = $1 AND s.incarnation = $2::int AND a.partition = $3::int AND a.offset_ = $4::bigint
UNION ALL
SELECT 'dead_letter', tenant, accepted_at, key, priority, dead_lettered_at, destination, NULL, NULL, NULL, reason, attempts, state, redrive_count, trail
FROM dead_letter WHERE record_id = $5::text`;

/**
 * The books against themselves, in one snapshot. A record whose letter is on its way again is in flight, as one in the
 * journal is, unless another letter of it says that it is dead. What Kafka brought isn't counted by anybody: the watermarks say it, and so
 * the ends that were counted one by one can fail to be as many.
 */
export const TOTALS = `WITH ends AS (
  SELECT source, sum(accepted) AS accepted, sum(acknowledged) AS acknowledged, sum(dead_lettered) AS dead_lettered,
    sum(discarded) AS discarded
  FROM total GROUP BY source),
kafka AS (SELECT sum(low - start_offset - gaps + bit_count(done_above)) AS accepted FROM kafka_watermark),
redriving AS (
  SELECT count(DISTINCT record_id) FILTER (WHERE source IS NULL) AS rest, count(DISTINCT record_id) FILTER (WHERE source IS NOT NULL) AS kafka
  FROM dead_letter d WHERE state = 'redriving'
    AND NOT EXISTS (SELECT FROM dead_letter o WHERE o.record_id = d.record_id AND o.state IN ('waiting', 'discarded')))
SELECT s.source, coalesce(CASE s.source WHEN 'kafka' THEN k.accepted ELSE e.accepted END, 0)::text AS accepted,
  coalesce(e.acknowledged, 0)::text AS acknowledged, coalesce(e.dead_lettered, 0)::text AS "deadLettered",
  coalesce(e.discarded, 0)::text AS discarded, (SELECT count(*) FROM journal)::text AS journal,
  coalesce(CASE s.source WHEN 'kafka' THEN r.kafka ELSE r.rest END, 0)::text AS redriving
FROM (VALUES ('rest'), ('kafka')) s (source) CROSS JOIN kafka k CROSS JOIN redriving r LEFT JOIN ends e USING (source)`;
