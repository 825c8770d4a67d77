import type { DataSource, QueryRunner } from 'typeorm';
import type { TransactionSession } from '../ledger/transaction-session.js';

/**
 * Runs `work` in a transaction on a connection of the pool. Rows come as arrays, in the order of their columns, as on the
 * ledger's connections; so columns need names of their own. Statements are not named there: they are rare.
 */
export function inPoolTransaction<T>(
  database: DataSource,
  work: (session: TransactionSession) => Promise<T>,
): Promise<T> {
  return database.transaction(({ queryRunner }) => work(sessionOf(queryRunner!)));
}

/** The same without a transaction. */
export async function onPoolConnection<T>(
  database: DataSource,
  work: (session: TransactionSession) => Promise<T>,
): Promise<T> {
  const runner = database.createQueryRunner();
  try {
    return await work(sessionOf(runner));
  } finally {
    await runner.release();
  }
}

function sessionOf(runner: QueryRunner): TransactionSession {
  return {
    async query<Row extends unknown[]>(
      { text }: { readonly text: string },
      values: readonly unknown[] = [],
    ) {
      const { records } = await runner.query(text, [...values], true);
      return { rows: records.map((record: object) => Object.values(record) as Row) };
    },
  };
}
