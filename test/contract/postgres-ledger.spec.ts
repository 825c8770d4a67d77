import { Logger } from '@nestjs/common';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import { PostgresRecordLookup } from '../../src/ledger/record-lookup.js';
import { startLedger } from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import {
  type ContractBounds,
  type ContractLedger,
  describeLedgerContract,
} from './ledger.contract.js';

Logger.overrideLogger(false);

async function openOn(
  db: TestDatabase,
  bounds: ContractBounds | undefined,
): Promise<ContractLedger> {
  const { ledger, journal, acknowledgments } = await startLedger(db.url, bounds);
  const lookup = new PostgresRecordLookup(await db.dataSource());
  return {
    journal,
    acknowledgments,
    statusOf: (id) => lookup.find(id),
    delivered: async () =>
      (
        await db.pool.query<{ id: string }>('SELECT record_id AS id FROM delivered ORDER BY 1')
      ).rows.map(({ id }) => id),
    expireKeys: () =>
      db.pool.query(`UPDATE idempotency_key SET expires_at = now() - interval '1 ms'`),
    restart: async () => {
      // As after a kill: nothing is released, connections just end.
      ledger.sessions.destroy();
      await ledger.stop();
      return openOn(db, bounds);
    },
    close: async () => {
      await ledger.stop();
      await db.drop();
    },
  };
}

describeLedgerContract('PostgreSQL', async (bounds) => {
  const db = await createTestDatabase();
  await ensureSinkTable(db.pool, 'delivered');
  return openOn(db, bounds);
});
