import type { Statement } from '../ledger-session.js';
import { OUTCOME } from './acknowledge.statements.js';

/** $1 topic. The newest incarnation, and whether any of them has a partition in the books. */
export const NEWEST_SOURCE: Statement = {
  text: `SELECT source, incarnation, EXISTS (SELECT FROM kafka_watermark WHERE source IN (SELECT source FROM kafka_source WHERE topic = $1))
FROM kafka_source WHERE topic = $1 ORDER BY incarnation DESC LIMIT 1`,
};

/** $1 topic, $2 incarnation after which the new one comes; 0 for the first. Nothing when there is a newer one already. */
export const ADD_SOURCE: Statement = {
  text: `INSERT INTO kafka_source (topic, incarnation)
SELECT $1::text, $2::int + 1 WHERE $2::int = (SELECT coalesce(max(incarnation), 0) FROM kafka_source WHERE topic = $1::text)
ON CONFLICT (topic, incarnation) DO NOTHING`,
};

/** Columns of a partition's row, as PartitionRow reads them. */
const PARTITION = (k: string): string =>
  `${k}.source, ${k}.partition, ${k}.epoch, ${k}.low, ${k}.done_above, ${k}.gaps, ${k}.boundary_timestamp`;

/** $1 source, $2 partitions, $3 offsets where those begin that have no row. The epoch is the fence. */
export const ASSIGN: Statement = {
  name: 'ledger-kafka-assign',
  text: `WITH taken AS (
  INSERT INTO kafka_watermark AS k (source, partition, epoch, start_offset, low)
  SELECT $1::int, partition, 1, start, start FROM unnest($2::int4[], $3::int8[]) u (partition, start) ORDER BY partition
  ON CONFLICT (source, partition) DO UPDATE SET epoch = k.epoch + 1
  RETURNING ${PARTITION('k')})
SELECT ${PARTITION('t')}, s.topic, s.incarnation FROM taken t JOIN kafka_source s USING (source)`,
};

/**
 * $1 sources, $2 partitions, $3 epochs. Takes partitions from ourselves: what an older statement of ours, of unknown
 * outcome, has not done yet it can't do any more; what it did is in the answer.
 */
export const FENCE: Statement = {
  text: `UPDATE kafka_watermark k SET epoch = k.epoch + 1
FROM unnest($1::int4[], $2::int4[], $3::int8[]) u (source, partition, epoch)
WHERE k.source = u.source AND k.partition = u.partition AND k.epoch = u.epoch
RETURNING ${PARTITION('k')}`,
};

/**
 * $1 sources, $2 partitions, $3 epochs, $4 lows, $5 bitmaps, $6 gaps, $7 boundary timestamps. A partition that isn't in
 * `kept` belongs to somebody else. A run is appended only when `low` moves: out-of-order ends cost no rows. Run twice, the
 * second time changes nothing, as `old` is then what it writes.
 */
const KEEP = `input AS MATERIALIZED (
  SELECT * FROM unnest($1::int4[], $2::int4[], $3::int8[], $4::int8[], $5::bytea[], $6::int8[], $7::int8[])
    u (source, partition, epoch, low, done_above, gaps, boundary_timestamp)),
old AS MATERIALIZED (
  SELECT k.source, k.partition, k.low, k.done_above, k.gaps FROM kafka_watermark k JOIN input USING (source, partition, epoch)
  ORDER BY k.source, k.partition FOR UPDATE OF k),
kept AS (
  UPDATE kafka_watermark k
  SET low = i.low, done_above = i.done_above, gaps = i.gaps, boundary_timestamp = i.boundary_timestamp
  FROM input i JOIN old o USING (source, partition)
  WHERE k.source = i.source AND k.partition = i.partition AND k.epoch = i.epoch
  RETURNING k.source, k.partition, o.low AS first_offset, i.low AS next_offset, (i.low - i.gaps) - (o.low - o.gaps) AS records,
    bit_count(i.done_above) - bit_count(o.done_above) AS above),
run AS (
  INSERT INTO acknowledgment_range (source, partition, first_offset, last_offset, record_count)
  SELECT source, partition, first_offset, next_offset - 1, records FROM kept WHERE next_offset > first_offset)`;

/** The watermarks alone: $1 to $7 as above. */
export const WRITE_WATERMARKS: Statement = {
  name: 'ledger-kafka-watermarks',
  text: `WITH ${KEEP}
SELECT source, partition FROM kept`,
};

/** Ends that are no acknowledgment row: only whether they are new is asked; the letters are written next to it. */
export const DEAD = 2;

/** Whether the position of `u` had not ended before this statement. */
const IS_NEW = `CASE WHEN u.offset_ < o.low THEN false
    WHEN u.offset_ - o.low >= 8 * octet_length(o.done_above) THEN true
    ELSE get_bit(o.done_above, u.offset_ - o.low) = 0 END`;

/**
 * The ends of Kafka records: watermarks, exceptions, totals and, with a table, output rows. What is written is decided by
 * the watermark, as it is by the journal row for REST: a partition that isn't kept writes nothing. A record with several
 * destinations has a row for each of them, and counts once.
 *
 * $1 to $7 as above; exceptions: $8 sources, $9 partitions, $10 offsets, $11 tenants, $12 epoch ms of acceptance,
 * $13 destinations, $14 outcomes, $15 attempts, $16 external ids, $17 reasons; $18 instance; with a table: $19 sources,
 * $20 partitions, $21 record ids, $22 keys, $23 payloads, $24 headers, $25 KeyGen's partitions, $26 epoch ms of acceptance.
 */
export function endPositions(name: string, table?: string): Statement {
  const output =
    table === undefined
      ? ''
      : `output AS (
  INSERT INTO ${table} (record_id, key, payload, headers, partition, accepted_at)
  SELECT u.record_id, u.key, u.payload::jsonb, u.headers::jsonb, u.record_partition, to_timestamp(u.accepted_ms / 1000.0)
  FROM unnest($19::int4[], $20::int4[], $21::text[], $22::text[], $23::text[], $24::text[], $25::int2[], $26::int8[])
    u (source, partition, record_id, key, payload, headers, record_partition, accepted_ms)
  JOIN kept USING (source, partition)
  ON CONFLICT (record_id) DO NOTHING),
`;
  return {
    name,
    text: `WITH ${KEEP},
judged AS MATERIALIZED (
  SELECT u.*, ${IS_NEW} AS is_new
  FROM unnest($8::int4[], $9::int4[], $10::int8[], $11::text[], $12::int8[], $13::int2[], $14::int2[], $15::int2[], $16::text[], $17::text[])
    WITH ORDINALITY u (source, partition, offset_, tenant, accepted_ms, destination, outcome, attempts, external_id, reason, ord)
  JOIN old o USING (source, partition) JOIN kept USING (source, partition)),
position AS (
  INSERT INTO acknowledgment_position
    (source, partition, offset_, tenant, accepted_at, destination, outcome, attempts, external_id, reason)
  SELECT source, partition, offset_, tenant, to_timestamp(accepted_ms / 1000.0), destination, outcome, attempts, external_id, reason
  FROM judged WHERE is_new AND outcome <> ${DEAD}
  ON CONFLICT DO NOTHING),
${output}ended AS (
  SELECT (SELECT coalesce(sum(records + above), 0) FROM kept) AS all_ends, count(DISTINCT place) FILTER (WHERE outcome = ${DEAD}) AS dead,
    count(DISTINCT place) FILTER (WHERE outcome = ${OUTCOME.discarded}) AS discarded
  FROM (SELECT outcome, (source, partition, offset_) AS place FROM judged WHERE is_new) n),
counted AS (
  INSERT INTO total AS t (instance, slot, source, acknowledged, dead_lettered, discarded)
  SELECT $18, 1, 'kafka', all_ends - dead - discarded, dead, discarded FROM ended WHERE all_ends > 0
  ON CONFLICT (instance, slot, source) DO UPDATE
  SET acknowledged = t.acknowledged + excluded.acknowledged, dead_lettered = t.dead_lettered + excluded.dead_lettered,
    discarded = t.discarded + excluded.discarded)
SELECT source, partition, NULL::int FROM kept
UNION ALL SELECT NULL, NULL, ord::int FROM judged WHERE is_new AND outcome = ${DEAD}`,
  };
}

/** $1 sources, $2 partitions. Runs of one hour that lie next to each other, as offsets from and to (exclusive). */
export const RUNS_TO_MERGE = `SELECT source, partition, min(first_offset) AS first, max(last_offset) + 1 AS next
FROM acknowledgment_range JOIN unnest($1::int4[], $2::int4[]) u (source, partition) USING (source, partition)
GROUP BY source, partition, date_trunc('hour', acknowledged_at) HAVING count(*) > 1`;

/**
 * $1 source, $2 partition, $3 first offset, $4 last offset (exclusive). Runs lie below `low` and leave no hole, so one row
 * says the same. Always inserts what it deleted, be it one run.
 */
export const MERGE_RUNS = `WITH old AS (
  DELETE FROM acknowledgment_range WHERE source = $1 AND partition = $2 AND first_offset >= $3 AND last_offset < $4
  RETURNING first_offset, last_offset, record_count, acknowledged_at)
INSERT INTO acknowledgment_range (source, partition, first_offset, last_offset, record_count, acknowledged_at)
SELECT $1, $2, min(first_offset), max(last_offset), sum(record_count), max(acknowledged_at) FROM old HAVING count(*) > 0`;
