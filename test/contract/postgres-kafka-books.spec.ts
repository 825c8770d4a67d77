import { Logger } from '@nestjs/common';
import { otherConsumer, startLedger } from '../support/ledger.js';
import { createTestDatabase } from '../support/postgres.js';
import { describeKafkaBooksContract } from './kafka-books.contract.js';

Logger.overrideLogger(false);

describeKafkaBooksContract('PostgreSQL', async () => {
  const db = await createTestDatabase();
  const test = await startLedger(db.url);
  return {
    books: test.kafkaBooks,
    other: otherConsumer(test).kafkaBooks,
    close: async () => {
      await test.ledger.stop();
      await db.drop();
    },
  };
});
