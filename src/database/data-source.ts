import { DataSource, type Logger as TypeOrmLogger } from 'typeorm';
import { CreateJournal1767225600000 } from '../../migrations/1767225600000-create-journal.js';
import { CreateAcknowledgments1767225660000 } from '../../migrations/1767225660000-create-acknowledgments.js';
import { CreateKafkaBooks1767225720000 } from '../../migrations/1767225720000-create-kafka-books.js';
import { CreateDeadLetters1767225780000 } from '../../migrations/1767225780000-create-dead-letters.js';
import { CreateSettingsAndTotals1767225840000 } from '../../migrations/1767225840000-create-settings-and-totals.js';
import { IndexIdempotencyKeysByExpiry1767226140000 } from '../../migrations/1767226140000-index-idempotency-keys-by-expiry.js';
import { TrailOfDeadLetters1767226620000 } from '../../migrations/1767226620000-trail-of-dead-letters.js';
import { AddDeadlineToJournal1767226800000 } from '../../migrations/1767226800000-add-deadline-to-journal.js';
import { measuredDriver, type PoolWait } from './pool-wait.js';
import type { TlsSettings } from './tls.js';

/** Classes, not a glob: the same list in the build and under Jest. Append only. */
const migrations = [
  CreateJournal1767225600000,
  CreateAcknowledgments1767225660000,
  CreateKafkaBooks1767225720000,
  CreateDeadLetters1767225780000,
  CreateSettingsAndTotals1767225840000,
  IndexIdempotencyKeysByExpiry1767226140000,
  TrailOfDeadLetters1767226620000,
  AddDeadlineToJournal1767226800000,
];

/** A server that takes longer to let us in is away, not slow. */
export const CONNECT_TIMEOUT_MS = 1_000;

/** TypeORM prints by itself otherwise. Failures reach the caller as errors, who logs them once. */
const silentLogger: TypeOrmLogger = {
  logQuery: () => undefined,
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};

export interface DataSourceSettings {
  readonly url: string;
  readonly ssl: TlsSettings;
  readonly poolSize: number;
  readonly applicationName: string;
  /** Told of every wait for a connection of the pool. */
  readonly poolWait?: PoolWait;
  readonly entities?: readonly (new () => object)[];
}

/** Makes the TypeORM data source, not yet connected. It never changes the schema by itself. */
export function createDataSource(settings: DataSourceSettings): DataSource {
  return new DataSource({
    type: 'postgres',
    ...(settings.poolWait && { driver: measuredDriver(settings.poolWait) }),
    url: settings.url,
    ssl: settings.ssl,
    poolSize: settings.poolSize,
    applicationName: settings.applicationName,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    entities: [...(settings.entities ?? [])],
    migrations,
    migrationsTableName: 'migration',
    synchronize: false,
    installExtensions: false,
    logger: silentLogger,
    // An idle connection was lost: the pool makes a new one, and the control connection tells about the loss.
    poolErrorHandler: () => undefined,
  });
}
