import type { Statement } from '../ledger-session.js';

/** Counts the partitions that the database was set up with. */
export const COUNT_PARTITIONS: Statement = { text: 'SELECT count(*)::int FROM partition_lease' };

/** Keeps flushes out (they lock their lease rows) while the number of partitions changes. */
export const LOCK_PARTITIONS: Statement = { text: 'LOCK TABLE partition_lease IN EXCLUSIVE MODE' };

export const COUNT_JOURNAL: Statement = { text: 'SELECT count(*)::int FROM journal' };

/** $1 number of partitions. A new partition belongs to nobody. */
export const ADD_PARTITIONS: Statement = {
  text: `INSERT INTO partition_lease (partition, token, owner, expires_at)
SELECT p, nextval('lease_token'), '', '-infinity' FROM generate_series(0, $1::int - 1) p
ON CONFLICT (partition) DO NOTHING`,
};

/** $1 number of partitions. */
export const REMOVE_PARTITIONS: Statement = {
  text: 'DELETE FROM partition_lease WHERE partition >= $1',
};

/**
 * $1 partition, $2 owner, $3 lease in ms, $4 instance, or null when its earlier processes are not to be succeeded.
 * No row: somebody else has it. `token` is a key column, so this waits for flushes that hold the row FOR KEY SHARE.
 */
export const TAKE: Statement = {
  name: 'ledger-take',
  text: `UPDATE partition_lease
SET token = nextval('lease_token'), owner = $2, expires_at = clock_timestamp() + $3::int * interval '1 ms'
WHERE partition = $1 AND (owner = $2 OR expires_at < clock_timestamp() OR regexp_replace(owner, '#[^#]*$', '') = $4)
RETURNING token`,
};

/** $1 partitions. Who has them, and for how many ms more. */
export const OWNERS: Statement = {
  text: `SELECT owner, greatest(0, extract(epoch FROM max(expires_at) - clock_timestamp()) * 1000)::int
FROM partition_lease WHERE partition = ANY($1::smallint[]) GROUP BY owner`,
};

/** $1 tokens, $2 lease in ms. Touches no key column, so it never waits for a flush. */
export const RENEW: Statement = {
  name: 'ledger-renew',
  text: `UPDATE partition_lease SET expires_at = clock_timestamp() + $2::int * interval '1 ms'
WHERE token = ANY($1::bigint[]) RETURNING partition`,
};

/** $1 tokens. */
export const GIVE_UP: Statement = {
  text: `UPDATE partition_lease SET expires_at = '-infinity' WHERE token = ANY($1::bigint[])`,
};

/**
 * $1 partitions, taken by an earlier statement: in the same one its snapshot would be older than the lock.
 * What was handed over is among the rows.
 */
export const LOAD_IDS: Statement = {
  text: `WITH gone AS (DELETE FROM handover WHERE partition = ANY($1::smallint[]))
SELECT record_id, octet_length(payload) + coalesce(octet_length(headers), 0)
FROM journal WHERE partition = ANY($1::smallint[]) ORDER BY seq`,
};
