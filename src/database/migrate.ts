import { type DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { acknowledgmentDays } from './acknowledgment-days.js';
import { LOCK_SPACE, MIGRATION_LOCK } from './advisory-locks.js';

/** Yesterday's records may still end today. */
const DAYS_BACK = 1;

/** A missing day fails every acknowledgment of that day, so a week of failed daily runs does no harm. */
const DAYS_AHEAD = 7;

/** Longer than our migrations take; a wait beyond it is a lock that somebody forgot. */
const LOCK_TIMEOUT_MS = 60_000;

/**
 * Runs the pending migrations and makes the acknowledgment partitions. Returns the names of what ran, [] when the schema
 * was up to date. Processes that start together wait for each other; a failure leaves the schema as it was.
 */
export async function migrate(dataSource: DataSource, nowMs: number): Promise<readonly string[]> {
  const names = await underMigrationLock(dataSource, async (runner) => {
    const ran = await new MigrationExecutor(dataSource, runner).executePendingMigrations();
    return ran.map((migration) => migration.name);
  });
  await createAcknowledgmentPartitions(dataSource, nowMs);
  return names;
}

/**
 * Makes the partitions of `acknowledgment` from yesterday to a week ahead. Returns the new ones. Idempotent: to be called
 * at start and once a day.
 */
export async function createAcknowledgmentPartitions(
  dataSource: DataSource,
  nowMs: number,
): Promise<readonly string[]> {
  return underMigrationLock(dataSource, async (runner) => {
    const made: string[] = [];
    for (const day of acknowledgmentDays(nowMs, DAYS_BACK, DAYS_AHEAD)) {
      const [found] = (await runner.query('SELECT to_regclass($1) AS name', [day.table])) as [
        { name: string | null },
      ];
      if (found.name !== null) continue;
      // CREATE TABLE ... PARTITION OF would lock the parent against everybody, and wait behind any long reader.
      await runner.query(`CREATE TABLE ${day.table} (LIKE acknowledgment INCLUDING ALL)`);
      await runner.query(
        `ALTER TABLE acknowledgment ATTACH PARTITION ${day.table} FOR VALUES FROM ('${day.from}') TO ('${day.to}')`,
      );
      made.push(day.table);
    }
    return made;
  });
}

/** One transaction that holds the lock to its end: a lost connection or an error gives it back by itself. */
async function underMigrationLock<T>(
  dataSource: DataSource,
  work: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  return dataSource.transaction(async ({ queryRunner }) => {
    if (queryRunner === undefined) throw new TypeError('A transaction has no query runner.');
    await queryRunner.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await queryRunner.query('SELECT pg_advisory_xact_lock($1, $2)', [LOCK_SPACE, MIGRATION_LOCK]);
    return work(queryRunner);
  });
}
