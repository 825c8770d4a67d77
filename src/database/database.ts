/**
 * The database as the rest of the service sees it: one address, one pool, one control connection, one state.
 *
 * D1  `start` never hangs: it returns when the database is ready, or away (then everything goes on in the background).
 * D2  `ready` means: reachable, migrated, partitions made. It is reported again after every loss.
 * D3  What can't pass by itself is `failed`: a folder that another process owns, a pooling proxy, an encoding other than UTF8, a migration that the
 *     server refuses. `start` rejects with it; later it is the event `fatal`, after which the process should end.
 * D4  The embedded postmaster is stopped only while our session holds the folder's lock.
 *
 * starting → ready ⇄ away → closed, or failed
 */
import { EventEmitter } from 'node:events';
import { Logger } from '@nestjs/common';
import { Client, type ClientConfig } from 'pg';
import type { DataSource } from 'typeorm';
import { type Clock, sleep, type Timer } from '#libs/flow-control';
import { connectionConfig } from './connection-config.js';
import { ControlConnection } from './control-connection.js';
import { createDataSource, type DataSourceSettings } from './data-source.js';
import type { DatabaseOptions } from './database.options.js';
import { DiskWatch } from './disk-watch.js';
import { EmbeddedPostgres } from './embedded/embedded-postgres.js';
import { DatabaseAwayError } from './errors/database-away.error.js';
import { assertUtf8 } from './encoding-check.js';
import { describeError, isPassing } from './failure-kind.js';
import { ownerName, takeFolderLock } from './folder-lock.js';
import { createAcknowledgmentPartitions, migrate } from './migrate.js';
import { PoolWait } from './pool-wait.js';
import { assertSession } from './session-check.js';
import { type TlsSettings, tlsSettings } from './tls.js';

/** A start waits this long for the first answer and the migrations, then goes on without. */
const START_WAIT_MS = 10_000;
const PREPARE_RETRY_MS = 2_000;

/** Partitions are made a week ahead: four looks a day leave room for 28 failures. */
const PARTITIONS_INTERVAL_MS = 21_600_000;

const POOL_CLOSE_DEADLINE_MS = 5_000;

const POOL_NAME = 'penstock';

export type DatabaseState = 'starting' | 'ready' | 'away' | 'failed' | 'closed';

export interface DatabaseSettings {
  readonly options: DatabaseOptions;
  readonly clock: Clock;
  readonly entities?: DataSourceSettings['entities'];
}

interface Events {
  state: [DatabaseState];
  /** The disk of the embedded database is nearly full (true) or has room again (false). */
  storage: [boolean];
  fatal: [Error];
}

export class Database extends EventEmitter<Events> {
  readonly dataSource: DataSource;
  readonly poolWait: PoolWait;
  readonly control: ControlConnection;

  private readonly log = new Logger('Database');
  private readonly clock: Clock;
  private readonly ssl: TlsSettings;
  private readonly disk: DiskWatch | undefined;
  private current: DatabaseState = 'starting';
  private failure: Error | undefined;
  private isMigrated = false;
  private isSessionChecked = false;
  private preparing: Promise<void> | undefined;
  private timer: Timer | undefined;
  private lastComplaint = '';

  private constructor(
    settings: DatabaseSettings,
    private readonly url: string,
    private readonly embeddedPostgres: EmbeddedPostgres | undefined,
  ) {
    super();
    const { options, clock, entities } = settings;
    this.clock = clock;
    this.ssl = embeddedPostgres === undefined ? tlsSettings(options) : false;
    this.poolWait = new PoolWait(clock);
    this.dataSource = createDataSource({
      poolWait: this.poolWait,
      url,
      ssl: this.ssl,
      poolSize: options.databasePoolSize,
      applicationName: POOL_NAME,
      ...(entities && { entities }),
    });
    this.control = new ControlConnection({
      config: this.clientConfig(ownerName(process.pid)),
      clock,
      onConnect: (client) => this.checkSession(client),
    });
    this.disk = embeddedPostgres && new DiskWatch(embeddedPostgres.folder, clock);
    this.listen();
  }

  /** Starts the embedded database or reaches for yours (D1, D3). */
  static async start(settings: DatabaseSettings): Promise<Database> {
    const { databaseUrl, dataDir } = settings.options;
    const embedded =
      databaseUrl === undefined ? await EmbeddedPostgres.start(dataDir, settings.clock) : undefined;
    const database = new Database(settings, databaseUrl ?? embedded?.url ?? '', embedded);
    await database.begin();
    if (embedded !== undefined) {
      database.log.log(
        `The embedded PostgreSQL (${embedded.startKind} start, process ${embedded.pid}) serves ${embedded.folder}.`,
      );
    }
    return database;
  }

  get embedded(): boolean {
    return this.embeddedPostgres !== undefined;
  }

  /** The process of the embedded PostgreSQL; it changes when that is restarted. */
  get embeddedPid(): number | undefined {
    return this.embeddedPostgres?.pid;
  }

  get state(): DatabaseState {
    return this.current;
  }

  /** Whether the disk of the embedded database is nearly full. Always false for a database of yours. */
  storageLow(): boolean {
    return this.disk?.isLow ?? false;
  }

  /** The settings of a `pg` client outside the pool. */
  clientConfig(applicationName: string): ClientConfig {
    return connectionConfig({ url: this.url, ssl: this.ssl, applicationName });
  }

  /** Resolves when the database is ready, at once if it is. Rejects when it has failed, is closed, or `signal` aborts. */
  whenReady(signal?: AbortSignal): Promise<void> {
    return this.when((state) => state === 'ready', signal);
  }

  /** Closes the pool and the control connection, and stops the embedded database if it is ours. Idempotent. */
  async close(): Promise<void> {
    if (this.current === 'closed') return;
    if (this.current !== 'failed') this.become('closed');
    this.current = 'closed';
    this.timer?.cancel();
    this.disk?.stop();
    this.embeddedPostgres?.leave();
    await this.preparing;
    // A server that never answers must not hold the shutdown.
    if (this.dataSource.isInitialized) {
      await Promise.race([this.dataSource.destroy(), sleep(this.clock, POOL_CLOSE_DEADLINE_MS)]);
    }
    if (this.control.isConnected) await this.embeddedPostgres?.stop();
    await this.control.close();
  }

  private async begin(): Promise<void> {
    await this.disk?.start();
    this.control.start();
    const timeout = AbortSignal.timeout(START_WAIT_MS);
    try {
      await this.when((state) => state === 'ready' || state === 'away', timeout);
    } catch (error) {
      if (this.failure === undefined && timeout.aborted) return;
      await this.close();
      throw error;
    }
  }

  private listen(): void {
    this.control.on('back', () => this.prepare());
    this.control.on('retry', ({ error }) => this.away(error));
    this.control.on('lost', (error) => this.away(error));
    this.control.on('fatal', (error) => this.fail(error));
    this.disk?.on('low', (isLow) => {
      if (isLow) this.log.error(`The disk of ${this.embeddedPostgres?.folder} is nearly full.`);
      else this.log.log('The disk of the embedded database has room again.');
      this.emit('storage', isLow);
    });
    this.embeddedPostgres?.on('lost', (error) => this.fail(error));
    this.embeddedPostgres?.on('crashed', ({ pid, retryMs, error }) => {
      const reason = error === undefined ? '' : `: ${describeError(error)}`;
      this.log.warn(
        `The embedded PostgreSQL (process ${pid}) is gone; starting it in ${retryMs} ms${reason}`,
      );
    });
    this.embeddedPostgres?.on('restarted', ({ pid }) =>
      this.log.log(`The embedded PostgreSQL runs again (process ${pid}).`),
    );
  }

  /** Every new session: it is a real one, and the folder is ours. */
  private async checkSession(client: Client): Promise<void> {
    if (this.embeddedPostgres !== undefined) {
      await takeFolderLock(client, this.embeddedPostgres.folder);
      this.embeddedPostgres.supervise();
      return;
    }
    if (this.isSessionChecked) return;
    await assertUtf8(client);
    const other = new Client(this.clientConfig(POOL_NAME));
    // The check's own statement rejects when it is lost.
    other.on('error', () => undefined);
    try {
      await other.connect();
      await assertSession(client, other);
      this.isSessionChecked = true;
    } finally {
      await other.end();
    }
  }

  /** One at a time; what fails for now is tried again while the control connection lives. */
  private prepare(): void {
    this.preparing ??= this.migrateOnce().finally(() => {
      this.preparing = undefined;
    });
  }

  private async migrateOnce(): Promise<void> {
    try {
      if (!this.isMigrated) {
        if (!this.dataSource.isInitialized) await this.dataSource.initialize();
        const ran = await migrate(this.dataSource, this.clock.wallNow());
        for (const name of ran) this.log.log(`Migrated: ${name}.`);
        this.isMigrated = true;
        this.makePartitionsLater();
      }
      if (this.control.isConnected) this.ready();
    } catch (error) {
      if (!isPassing(error)) {
        this.fail(error as Error);
        return;
      }
      this.away(error as Error);
      this.timer = this.clock.setTimer(PREPARE_RETRY_MS, () => {
        if (this.control.isConnected) this.prepare();
      });
    }
  }

  private makePartitionsLater(): void {
    this.timer = this.clock.setTimer(PARTITIONS_INTERVAL_MS, () => void this.makePartitions());
  }

  private async makePartitions(): Promise<void> {
    this.makePartitionsLater();
    try {
      await createAcknowledgmentPartitions(this.dataSource, this.clock.wallNow());
    } catch (error) {
      this.log.warn(`The next days' partitions could not be made: ${describeError(error)}`);
    }
  }

  private ready(): void {
    if (this.current === 'away') this.log.log(`The database (${this.place()}) is back.`);
    this.lastComplaint = '';
    this.become('ready');
  }

  private away(error: Error): void {
    const complaint = describeError(error);
    // An outage of hours is one line, not one a second.
    if (this.isOpen() && complaint !== this.lastComplaint) {
      this.log.warn(`The database (${this.place()}) is away, trying again: ${complaint}`);
      this.lastComplaint = complaint;
    }
    this.become('away');
  }

  private fail(error: Error): void {
    if (!this.isOpen()) return;
    this.failure = error;
    this.embeddedPostgres?.leave();
    this.become('failed');
    this.emit('fatal', error);
  }

  private become(state: DatabaseState): void {
    if (!this.isOpen() || state === this.current) return;
    this.current = state;
    this.emit('state', state);
  }

  private isOpen(): boolean {
    return this.current !== 'closed' && this.current !== 'failed';
  }

  private when(isReached: (state: DatabaseState) => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (state: DatabaseState): void => {
        if (isReached(state)) leave(resolve);
        else if (!this.isOpen()) leave(() => reject(this.failure ?? closedError()));
      };
      const onAbort = (): void => leave(() => reject(signal?.reason));
      const leave = (then: () => void): void => {
        this.off('state', settle);
        signal?.removeEventListener('abort', onAbort);
        then();
      };
      this.on('state', settle);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted) onAbort();
      else settle(this.current);
    });
  }

  /** Host, port and name: never the password. */
  private place(): string {
    const { host, pathname } = new URL(this.url);
    return `${host}${pathname}`;
  }
}

function closedError(): DatabaseAwayError {
  return new DatabaseAwayError('The database is closed.');
}
