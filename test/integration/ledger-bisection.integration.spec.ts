import { Logger } from '@nestjs/common';
import { EndingTransaction } from '../../src/ledger/ending-transaction.js';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import { deliveredEnding, makeRecords, startLedger, type TestLedger } from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

Logger.overrideLogger(false);
jest.setTimeout(60_000);

describe('a batch of output rows that one row spoils', () => {
  let db: TestDatabase;
  let test: TestLedger;

  beforeEach(async () => {
    db = await createTestDatabase();
    await ensureSinkTable(db.pool, 'delivered');
    await db.pool.query('ALTER TABLE delivered ADD CHECK ((payload->>0)::int >= 0)');
    test = await startLedger(db.url);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await test.ledger.stop();
    await db.drop();
  });

  it.each([
    [500, 19],
    [1000, 21],
  ])('of %i costs at most %i statements, wherever it is', async (count, most) => {
    const enter = jest.spyOn(EndingTransaction.prototype, 'enter');
    const statements: number[] = [];
    for (const spoiled of [0, (count >>> 1) - 1, count - 1]) {
      const records = makeRecords(count, (i) => ({ payload: [i === spoiled ? -1 : i] }));
      await test.journal.append(records);
      enter.mockClear();
      const refused = await test.acknowledgments.finish(
        records.map((each) => deliveredEnding(each)),
      );
      expect(refused.map(({ ending }) => ending.record)).toEqual([records[spoiled]]);
      statements.push(enter.mock.calls.length);
    }
    expect(Math.max(...statements)).toBe(most);
  });
});
