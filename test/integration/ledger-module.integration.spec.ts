import { Global, Logger, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { DATABASE_OPTIONS, databaseOptions } from '../../src/database/database.options.js';
import { Database } from '../../src/database/database.js';
import { DatabaseModule } from '../../src/database/database.module.js';
import { DeadLettersModule } from '../../src/dead-letters/dead-letters.module.js';
import { DeadLetterStore } from '../../src/dead-letters/dead-letter-store.js';
import { Acknowledgments } from '../../src/ledger/acknowledgments.port.js';
import { Conservation } from '../../src/ledger/conservation.js';
import { Journal } from '../../src/ledger/journal.port.js';
import { Ledger } from '../../src/ledger/ledger.js';
import { LedgerModule } from '../../src/ledger/ledger.module.js';
import { ledgerOptions } from '../../src/ledger/ledger.options.js';
import { RecordLookup } from '../../src/ledger/lookup.port.js';
import { Intake } from '../../src/pipeline/intake.js';
import { endingOf, makeRecord } from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

Logger.overrideLogger(false);

const globals: { url: string } = { url: '' };

/** What the composition root provides. */
@Global()
@Module({
  providers: [
    Intake,
    {
      provide: DATABASE_OPTIONS,
      useFactory: () => databaseOptions.schema.parse({ databaseUrl: globals.url }),
    },
  ],
  exports: [Intake, DATABASE_OPTIONS],
})
class GlobalsModule {}

describe('LedgerModule', () => {
  let db: TestDatabase;
  let app: TestingModule;

  beforeAll(async () => {
    db = await createTestDatabase();
    globals.url = db.url;
    const { journalMaxRecords, journalMaxBytes } = ledgerOptions.schema.parse({});
    app = await Test.createTestingModule({
      imports: [
        GlobalsModule,
        DatabaseModule.forRoot(),
        DeadLettersModule.forRootAsync({ useFactory: () => ({ maxLetters: 1 }) }),
        LedgerModule.forRootAsync({
          useFactory: () => ({
            instanceId: 'module-test',
            leaseMs: 15_000,
            partitions: 4,
            idempotencyTtlHours: 24,
            maxRecords: journalMaxRecords,
            destinations: ['postgres'],
            maxBytes: journalMaxBytes,
          }),
        }),
      ],
    }).compile();
    await app.init();
  });
  afterAll(async () => {
    await app.get(Ledger).stop();
    await app.close();
    await db.drop();
  });

  it('binds the ports to PostgreSQL once the ledger is started', async () => {
    const intake = app.get(Intake);
    intake.open('starting');
    await app.get(Ledger).start(() => undefined);
    expect(intake.closed).toBeUndefined();
    const record = makeRecord();
    await app.get(Journal).append([record]);
    await expect(app.get(RecordLookup).find(record.id)).resolves.toMatchObject({
      status: 'accepted',
    });
    const terminal = { status: 'dead-lettered', reason: 'final' } as const;
    await app.get(Acknowledgments).finish([endingOf(record, { terminal })]);
    await expect(app.get(Conservation).read()).resolves.toMatchObject({
      deadLettered: 1,
      balanced: true,
    });
    expect(app.get(DeadLetterStore).free).toBe(0);
  });

  it('closes intake while the disk of the embedded database is nearly full', () => {
    const intake = app.get(Intake);
    app.get(Database).emit('storage', true);
    expect(intake.closed?.reason).toBe('storage-low');
    app.get(Database).emit('storage', false);
    expect(intake.closed).toBeUndefined();
  });
});
