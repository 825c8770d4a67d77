import { randomBytes } from 'node:crypto';
import { type DynamicModule, type FactoryProvider, Module, type Provider } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type Clock, SystemClock } from '#libs/flow-control';
import { KafkaBooks } from '#libs/kafka';
import { Database } from '../database/database.js';
import { Intake } from '../pipeline/intake.js';
import { AcknowledgmentSearch } from './acknowledgment-search.js';
import { Acknowledgments } from './acknowledgments.port.js';
import { Conservation } from './conservation.js';
import { DeadLetterWriter } from './dead-letter-writer.port.js';
import { JournalVacuum } from './journal-vacuum.js';
import { Journal } from './journal.port.js';
import { PostgresKafkaBooks } from './kafka-books.js';
import { KeyTrim } from './key-trim.js';
import { Ledger, type LedgerSettings } from './ledger.js';
import { RecordLookup } from './lookup.port.js';
import { PartitionOwners } from './partition-owners.js';
import { PostgresAcknowledgments } from './postgres-acknowledgments.js';
import { PostgresJournal } from './postgres-journal.js';
import { PostgresRecordLookup } from './record-lookup.js';
import { RunMerge } from './run-merge.js';

/** What the composition root knows and the ledger needs; `bootId` and the database are the module's own business. */
export type LedgerModuleSettings = Omit<LedgerSettings, 'bootId' | 'database'>;

const LEDGER_SETTINGS = Symbol('LEDGER_SETTINGS');
const BOOT_ID_BYTES = 4;

const clock: Clock = new SystemClock();

/**
 * The books. Gives every module Journal, Acknowledgments, KafkaBooks, RecordLookup, Conservation, and Ledger, whose `start` and
 * `stop` the pipeline's lifecycle calls: start before the stages, stop after them.
 *
 * Needs Database, DataSource, DeadLetterWriter and Intake from global modules.
 */
@Module({})
export class LedgerModule {
  static forRootAsync(
    settings: Pick<FactoryProvider<LedgerModuleSettings>, 'inject' | 'useFactory'>,
  ): DynamicModule {
    return {
      module: LedgerModule,
      global: true,
      providers: [
        {
          provide: LEDGER_SETTINGS,
          inject: settings.inject ?? [],
          useFactory: settings.useFactory,
        },
        ...providers,
      ],
      exports: [
        Ledger,
        Journal,
        Acknowledgments,
        AcknowledgmentSearch,
        KafkaBooks,
        PartitionOwners,
        RecordLookup,
        Conservation,
      ],
    };
  }
}

const providers: Provider[] = [
  {
    provide: Ledger,
    inject: [LEDGER_SETTINGS, Database, Intake],
    useFactory: (settings: LedgerModuleSettings, database: Database, intake: Intake) => {
      const bootId = randomBytes(BOOT_ID_BYTES).toString('hex');
      watchStorage(database, intake);
      return new Ledger({ ...settings, bootId, database }, intake, clock, Math.random);
    },
  },
  {
    provide: Journal,
    inject: [Ledger],
    useFactory: (ledger: Ledger) => new PostgresJournal(ledger, clock),
  },
  {
    provide: Acknowledgments,
    inject: [Ledger, DeadLetterWriter],
    useFactory: (ledger: Ledger, deadLetters: DeadLetterWriter) =>
      new PostgresAcknowledgments(ledger, deadLetters, clock, Math.random),
  },
  {
    provide: JournalVacuum,
    inject: [Ledger, Journal, DataSource],
    useFactory: (ledger: Ledger, journal: Journal, database: DataSource) => {
      const flushedRecords = (): number => journal.snapshot().flushedRecords;
      const vacuum = new JournalVacuum({ database, clock, flushedRecords });
      ledger.listen({
        opened: () => vacuum.start(),
        closed: ({ reason }) => (reason === 'stopping' ? void vacuum.stop() : undefined),
      });
      return vacuum;
    },
  },
  {
    provide: KeyTrim,
    inject: [Ledger, DataSource],
    useFactory: (ledger: Ledger, database: DataSource) => {
      const trim = new KeyTrim(database, clock);
      ledger.listen({
        opened: () => trim.start(),
        closed: ({ reason }) => (reason === 'stopping' ? void trim.stop() : undefined),
      });
      return trim;
    },
  },
  {
    provide: KafkaBooks,
    inject: [Ledger],
    useFactory: (ledger: Ledger) => new PostgresKafkaBooks(ledger),
  },
  {
    provide: RunMerge,
    inject: [Ledger, DataSource],
    useFactory: (ledger: Ledger, database: DataSource) => {
      const merge = new RunMerge({ database, clock, marks: ledger.kafkaMarks });
      ledger.listen({
        writable: () => merge.start(),
        closed: ({ reason }) => (reason === 'stopping' ? void merge.stop() : undefined),
      });
      return merge;
    },
  },
  {
    provide: RecordLookup,
    inject: [DataSource],
    useFactory: (database: DataSource) => new PostgresRecordLookup(database),
  },
  {
    provide: Conservation,
    inject: [DataSource],
    useFactory: (database: DataSource) => new Conservation(database),
  },
  {
    provide: AcknowledgmentSearch,
    inject: [DataSource],
    useFactory: (database: DataSource) => new AcknowledgmentSearch(database),
  },
  {
    provide: PartitionOwners,
    inject: [DataSource],
    useFactory: (database: DataSource) => new PartitionOwners(database),
  },
];

/** A full disk stops PostgreSQL, and with it the acknowledgments: new records are refused before that. */
function watchStorage(database: Database, intake: Intake): void {
  const tell = (isLow: boolean): void => {
    if (isLow) intake.close('storage-low', 'The disk of the embedded database is nearly full.');
    else intake.open('storage-low');
  };
  tell(database.storageLow());
  database.on('storage', tell);
}
