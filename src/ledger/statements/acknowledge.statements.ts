import type { Statement } from '../ledger-session.js';

/** Outcomes as the books hold them. Append only. */
export const OUTCOME = { acknowledged: 0, discarded: 1 } as const;

/** Own partitions, read without a lock: a lock here and in the flush would cost multixacts. */
export const own = (tokens: string): string =>
  `own AS MATERIALIZED (SELECT partition FROM partition_lease WHERE token = ANY(${tokens}::bigint[]))`;

/** Counts what has ended; slot 1, so that it never waits for the flush's row. */
export const counted = (instance: string): string => `counted AS (
  INSERT INTO total AS t (instance, slot, source, acknowledged, discarded)
  SELECT ${instance}, 1, 'rest', count(*) FILTER (WHERE outcome = ${OUTCOME.acknowledged}), count(*) FILTER (WHERE outcome = ${OUTCOME.discarded})
  FROM ended HAVING count(*) > 0
  ON CONFLICT (instance, slot, source) DO UPDATE
  SET acknowledged = t.acknowledged + excluded.acknowledged, discarded = t.discarded + excluded.discarded)`;

/** Ids only when some did not come back: they had ended before, or belong to somebody else by now. */
export const ANSWER = `SELECT count(*)::int, CASE WHEN count(*) < cardinality($1::uuid[]) THEN array_agg(record_id::text) END FROM ended`;

/** $1 ids, $2 outcomes, $3 attempts, $4 destinations, $5 external ids, $6 reasons, $7 own tokens, $8 instance. */
export const ACKNOWLEDGE: Statement = {
  name: 'ledger-acknowledge',
  text: `WITH ${own('$7')},
gone AS (
  DELETE FROM journal WHERE record_id = ANY($1::uuid[]) AND partition = ANY(ARRAY(SELECT partition FROM own))
  RETURNING record_id, tenant, accepted_at),
ended AS (
  INSERT INTO acknowledgment (record_id, tenant, destination, accepted_at, outcome, attempts, external_id, reason)
  SELECT g.record_id, g.tenant, u.destination, g.accepted_at, u.outcome, u.attempts, u.external_id, u.reason
  FROM gone g JOIN unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::smallint[], $5::text[], $6::text[])
    u (record_id, outcome, attempts, destination, external_id, reason) USING (record_id)
  RETURNING record_id, outcome),
${counted('$8')}
${ANSWER}`,
};

/**
 * $1 ids, $2 attempts, $3 destinations, $4 keys, $5 payloads, $6 headers, $7 own tokens, $8 instance. The delete decides:
 * a record that ended before writes no output row. `table` is a quoted identifier; `name` is one per table.
 */
export function acknowledgeWithOutput(name: string, table: string): Statement {
  return {
    name,
    text: `WITH ${own('$7')},
gone AS (
  DELETE FROM journal WHERE record_id = ANY($1::uuid[]) AND partition = ANY(ARRAY(SELECT partition FROM own))
  RETURNING record_id, tenant, accepted_at, partition),
input AS (
  SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::text[])
    u (record_id, attempts, destination, key, payload, headers)),
output AS (
  INSERT INTO ${table} (record_id, key, payload, headers, partition, accepted_at)
  SELECT g.record_id::text, u.key, u.payload::jsonb, u.headers::jsonb, g.partition, g.accepted_at
  FROM gone g JOIN input u USING (record_id)
  ON CONFLICT (record_id) DO NOTHING),
ended AS (
  INSERT INTO acknowledgment (record_id, tenant, destination, accepted_at, outcome, attempts)
  SELECT g.record_id, g.tenant, u.destination, g.accepted_at, ${OUTCOME.acknowledged}, u.attempts
  FROM gone g JOIN input u USING (record_id)
  RETURNING record_id, outcome),
${counted('$8')}
${ANSWER}`,
  };
}

/** $1 ids, $2 own tokens, $3 instance. Takes dead records out of the journal; the letters are written next to it. */
export const BURY: Statement = {
  name: 'ledger-bury',
  text: `WITH ${own('$2')},
gone AS (
  DELETE FROM journal WHERE record_id = ANY($1::uuid[]) AND partition = ANY(ARRAY(SELECT partition FROM own))
  RETURNING record_id, accepted_at, payload, headers),
counted AS (
  INSERT INTO total AS t (instance, slot, source, dead_lettered)
  SELECT $3, 1, 'rest', count(*) FROM gone HAVING count(*) > 0
  ON CONFLICT (instance, slot, source) DO UPDATE SET dead_lettered = t.dead_lettered + excluded.dead_lettered)
SELECT record_id, accepted_at, payload, headers FROM gone`,
};

/** $1 name. Gives the code of a destination, a new one if need be. */
export const ADD_DESTINATION: Statement = {
  text: 'INSERT INTO destination (name) VALUES ($1) ON CONFLICT (name) DO NOTHING',
};
export const DESTINATION_CODE: Statement = { text: 'SELECT code FROM destination WHERE name = $1' };
