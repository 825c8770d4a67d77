import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';

export interface PoolLevels {
  readonly inUse: number;
  readonly idle: number;
  readonly waiting: number;
}

/** The levels of the data source's pool; zeros while it has none. */
export function poolLevels(dataSource: DataSource): PoolLevels {
  const { master: pool } = dataSource.driver as { master?: Pool };
  if (pool === undefined) return { inUse: 0, idle: 0, waiting: 0 };
  const { totalCount, idleCount, waitingCount } = pool;
  return { inUse: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
}
