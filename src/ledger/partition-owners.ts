import type { RowReader } from './row-reader.js';

/** Who has a partition of KeyGen, and what waits in it. */
export interface PartitionOwner {
  readonly partition: number;
  /** The instance; undefined while nobody has it. */
  readonly owner: string | undefined;
  readonly leaseExpiresAt: Date | undefined;
  /** Records in the journal: accepted, not terminal. */
  readonly journalRecords: number;
}

interface Row {
  readonly partition: number;
  readonly owner: string;
  readonly is_held: boolean;
  readonly expires_at: Date | null;
  readonly records: string;
}

/** An expiry of -infinity is a lease that was given up. */
const READ = `SELECT l.partition, regexp_replace(l.owner, '#[^#]*$', '') AS owner, l.expires_at > now() AS is_held,
  nullif(l.expires_at, '-infinity') AS expires_at, coalesce(j.records, 0)::text AS records
FROM partition_lease l
LEFT JOIN (SELECT partition, count(*) AS records FROM journal GROUP BY partition) j USING (partition)
ORDER BY l.partition`;

/** The leases as the database has them, for operators. */
export class PartitionOwners {
  constructor(private readonly database: RowReader) {}

  async read(): Promise<readonly PartitionOwner[]> {
    const rows = await this.database.query<Row[]>(READ);
    return rows.map(({ partition, owner, is_held: isHeld, expires_at: expiresAt, records }) => ({
      partition,
      owner: isHeld ? owner : undefined,
      leaseExpiresAt: isHeld && expiresAt !== null ? expiresAt : undefined,
      journalRecords: Number(records),
    }));
  }
}
