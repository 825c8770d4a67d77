import type { Statement } from './ledger-session.js';

/** Runs statements of a transaction that somebody else begins and commits. */
export interface TransactionSession {
  query<Row extends unknown[]>(
    statement: Statement,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: Row[] }>;
}
