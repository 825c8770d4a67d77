/** Records with several destinations: a row for each that has it, then the end. */
import type { Statement } from '../ledger-session.js';
import { ANSWER, counted, OUTCOME, own } from './acknowledge.statements.js';

/**
 * $1 ids, $2 tenants, $3 epoch ms of acceptance, $4 destinations, $5 attempts, $6 external ids. Asks neither journal nor
 * lease: that the destination has the record is true in any case, and the record may have ended before (a sink that isn't
 * required).
 */
export const ACKNOWLEDGE_PART: Statement = {
  name: 'ledger-acknowledge-part',
  text: `INSERT INTO acknowledgment (record_id, tenant, destination, accepted_at, outcome, attempts, external_id)
SELECT record_id, tenant, destination, to_timestamp(accepted_ms / 1000.0), ${OUTCOME.acknowledged}, attempts, external_id
FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::smallint[], $5::smallint[], $6::text[])
  u (record_id, tenant, accepted_ms, destination, attempts, external_id)
ON CONFLICT (record_id, destination) DO NOTHING`,
};

/**
 * $1 ids, $2 attempts, $3 destinations, $4 keys, $5 payloads, $6 headers, $7 own tokens. The journal row decides: a record
 * that has ended writes no output row, and it can't end while this statement runs. `table` is a quoted identifier; `name`
 * is one per table.
 */
export function acknowledgePartWithOutput(name: string, table: string): Statement {
  return {
    name,
    text: `WITH ${own('$7')},
ended AS MATERIALIZED (
  SELECT record_id, tenant, accepted_at, partition FROM journal
  WHERE record_id = ANY($1::uuid[]) AND partition = ANY(ARRAY(SELECT partition FROM own)) FOR KEY SHARE),
input AS MATERIALIZED (
  SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::text[])
    u (record_id, attempts, destination, key, payload, headers)),
output AS (
  INSERT INTO ${table} (record_id, key, payload, headers, partition, accepted_at)
  SELECT e.record_id::text, u.key, u.payload::jsonb, u.headers::jsonb, e.partition, e.accepted_at
  FROM ended e JOIN input u USING (record_id)
  ON CONFLICT (record_id) DO NOTHING),
part AS (
  INSERT INTO acknowledgment (record_id, tenant, destination, accepted_at, outcome, attempts)
  SELECT e.record_id, e.tenant, u.destination, e.accepted_at, ${OUTCOME.acknowledged}, u.attempts
  FROM ended e JOIN input u USING (record_id)
  ON CONFLICT (record_id, destination) DO NOTHING)
${ANSWER}`,
  };
}

/** The code of a destination that gets no row. */
export const NO_ROW = 0;

/**
 * $1 ids, $2 outcomes, $3 attempts, $4 destinations, $5 external ids, $6 reasons, $7 own tokens, $8 instance. The row of
 * the last destination may be there: its part was entered before, or by a process that is no more.
 */
export const END_SHARED: Statement = {
  name: 'ledger-end-shared',
  text: `WITH ${own('$7')},
gone AS (
  DELETE FROM journal WHERE record_id = ANY($1::uuid[]) AND partition = ANY(ARRAY(SELECT partition FROM own))
  RETURNING record_id, tenant, accepted_at),
ended AS MATERIALIZED (
  SELECT g.record_id, g.tenant, g.accepted_at, u.outcome, u.attempts, u.destination, u.external_id, u.reason
  FROM gone g JOIN unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::smallint[], $5::text[], $6::text[])
    u (record_id, outcome, attempts, destination, external_id, reason) USING (record_id)),
last AS (
  INSERT INTO acknowledgment (record_id, tenant, destination, accepted_at, outcome, attempts, external_id, reason)
  SELECT record_id, tenant, destination, accepted_at, outcome, attempts, external_id, reason FROM ended
  WHERE destination <> ${NO_ROW}
  ON CONFLICT (record_id, destination) DO NOTHING),
${counted('$8')}
${ANSWER}`,
};
