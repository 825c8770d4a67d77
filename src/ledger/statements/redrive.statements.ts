import type { Statement } from '../ledger-session.js';

/** The day's table of a UUIDv7, whose first 48 bits are epoch ms. */
const DAY_TABLE = `to_regclass('acknowledgment_' || to_char(
    to_timestamp(('x' || left(replace(record_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) AT TIME ZONE 'UTC', 'YYYYMMDD'))`;

/**
 * $1 ids, $2 tenants, $3 epoch ms of acceptance, $4 destinations, $5 outcomes, $6 attempts, $7 external ids, $8 reasons.
 * The end of REST records whose letter was redriven. Where retention has dropped the day of a record, the letter alone
 * says how it ended.
 */
export const ACKNOWLEDGE_REDRIVEN: Statement = {
  name: 'ledger-redriven',
  text: `INSERT INTO acknowledgment (record_id, tenant, destination, accepted_at, outcome, attempts, external_id, reason)
SELECT record_id, tenant, destination, to_timestamp(accepted_ms / 1000.0), outcome, attempts, external_id, reason
FROM unnest($1::uuid[], $2::text[], $3::int8[], $4::int2[], $5::int2[], $6::int2[], $7::text[], $8::text[])
  u (record_id, tenant, accepted_ms, destination, outcome, attempts, external_id, reason)
WHERE ${DAY_TABLE} IS NOT NULL
ON CONFLICT DO NOTHING`,
};

/** $1 sources, $2 partitions, $3 offsets, then as above from $4 tenants on. The end of Kafka records whose letter was redriven. */
export const ACKNOWLEDGE_REDRIVEN_POSITIONS: Statement = {
  name: 'ledger-redriven-positions',
  text: `INSERT INTO acknowledgment_position
  (source, partition, offset_, tenant, accepted_at, destination, outcome, attempts, external_id, reason)
SELECT source, partition, offset_, tenant, to_timestamp(accepted_ms / 1000.0), destination, outcome, attempts, external_id, reason
FROM unnest($1::int4[], $2::int4[], $3::int8[], $4::text[], $5::int8[], $6::int2[], $7::int2[], $8::int2[], $9::text[], $10::text[])
  u (source, partition, offset_, tenant, accepted_ms, destination, outcome, attempts, external_id, reason)
ON CONFLICT DO NOTHING`,
};

/**
 * $1 record ids, $2 keys, $3 payloads, $4 headers, $5 partitions, $6 epoch ms of acceptance. `table` is a quoted identifier;
 * `name` is one per table.
 */
export function outputOfRedriven(name: string, table: string): Statement {
  return {
    name,
    text: `INSERT INTO ${table} (record_id, key, payload, headers, partition, accepted_at)
SELECT record_id, key, payload::jsonb, headers::jsonb, record_partition, to_timestamp(accepted_ms / 1000.0)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int2[], $6::int8[])
  u (record_id, key, payload, headers, record_partition, accepted_ms)
ON CONFLICT (record_id) DO NOTHING`,
  };
}
