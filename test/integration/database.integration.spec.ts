import { Logger, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import { SystemClock } from '../../libs/flow-control/src/clock.js';
import { Database } from '../../src/database/database.js';
import { DatabaseModule } from '../../src/database/database.module.js';
import { DATABASE_OPTIONS, databaseOptions } from '../../src/database/database.options.js';
import { DatabaseAwayError } from '../../src/database/errors/database-away.error.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

jest.setTimeout(30_000);
Logger.overrideLogger(false);

describe('the database behind DATABASE_URL', () => {
  let server: TestDatabase;
  let proxy: TcpProxy;
  let url: string;
  let opened: Database | undefined;

  const optionsOf = (databaseUrl: string) => databaseOptions.schema.parse({ databaseUrl });
  const start = async (): Promise<Database> => {
    opened = await Database.start({ options: optionsOf(url), clock: new SystemClock() });
    return opened;
  };

  beforeEach(async () => {
    server = await createTestDatabase({ migrated: false });
    const target = new URL(server.url);
    proxy = new TcpProxy({ host: target.hostname, port: Number(target.port) });
    const port = await proxy.open();
    target.hostname = '127.0.0.1';
    target.port = String(port);
    url = target.href;
  });

  afterEach(async () => {
    proxy.thaw();
    await opened?.close();
    opened = undefined;
    await proxy.close();
    await server.drop();
  });

  it('is ready with its schema after the start', async () => {
    const database = await start();
    expect(database.state).toBe('ready');
    expect(database.embedded).toBe(false);
    expect(database.storageLow()).toBe(false);
    expect(await database.dataSource.query('SELECT * FROM journal')).toEqual([]);
    await database.whenReady();
  });

  it('is away when nobody answers at the start, and ready without a restart when somebody does (D1)', async () => {
    await proxy.close();
    const database = await start();
    expect(database.state).toBe('away');
    await expect(database.control.query('SELECT 1')).rejects.toBeInstanceOf(DatabaseAwayError);
    await proxy.open();
    await database.whenReady(AbortSignal.timeout(20_000));
    expect(database.dataSource.isInitialized).toBe(true);
  });

  it('tells a loss and the return, each once (D2)', async () => {
    const database = await start();
    const states: string[] = [];
    database.on('state', (state) => states.push(state));
    await proxy.close();
    await until(() => database.state === 'away', { what: 'the loss' });
    await proxy.open();
    await database.whenReady(AbortSignal.timeout(20_000));
    expect(states).toEqual(['away', 'ready']);
  });

  it('notices by itself that the server fell silent', async () => {
    const database = await start();
    proxy.freeze();
    await until(() => database.state === 'away', { what: 'the loss' });
    expect(database.control.isConnected).toBe(false);
  });

  it('takes a server that falls silent for away, and what waits for it rejects (C3)', async () => {
    const database = await start();
    proxy.freeze();
    const waiting = database.control.query('SELECT 2').catch((error: unknown) => error);
    expect(await database.control.probe()).toBe(false);
    expect(await waiting).toBeInstanceOf(DatabaseAwayError);
    await until(() => database.state === 'away', { what: 'the loss' });
    proxy.thaw();
    await database.whenReady(AbortSignal.timeout(20_000));
    expect(await database.control.probe()).toBe(true);
  });

  it('does not take a slow statement for a dead server', async () => {
    const database = await start();
    const slow = database.control.query('SELECT pg_sleep(1)');
    expect(await database.control.probe()).toBe(true);
    await expect(slow).resolves.toMatchObject({ rowCount: 1 });
  });

  it('passes on what the server says about a statement', async () => {
    const database = await start();
    await expect(database.control.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
    const { rows } = await database.control.query('SELECT $1::int AS number', [7]);
    expect(rows).toEqual([{ number: 7 }]);
  });

  it('does not start on a schema that its migrations do not fit (D3)', async () => {
    await server.pool.query('CREATE TABLE journal (mine text)');
    await expect(start()).rejects.toMatchObject({ code: '42P07' });
  });

  it('does not start on a database whose encoding is not UTF8 (D3)', async () => {
    const ascii = await createTestDatabase({ encoding: 'LATIN1' });
    url = ascii.url;
    try {
      await expect(start()).rejects.toMatchObject({ code: 'DB_ENCODING', encoding: 'LATIN1' });
    } finally {
      await ascii.drop();
    }
  });

  it('waits for another process that is migrating', async () => {
    const [first, second] = await Promise.all([
      Database.start({ options: optionsOf(url), clock: new SystemClock() }),
      Database.start({ options: optionsOf(url), clock: new SystemClock() }),
    ]);
    expect([first.state, second.state]).toEqual(['ready', 'ready']);
    await Promise.all([first.close(), second.close()]);
  });

  it('rejects those who wait for it when it is closed', async () => {
    await proxy.close();
    const database = await start();
    const waiting = database.whenReady().catch((error: unknown) => error);
    await database.close();
    expect(await waiting).toBeInstanceOf(DatabaseAwayError);
    expect(database.state).toBe('closed');
    await database.close();
  });

  it('stops to wait when the caller gives up', async () => {
    await proxy.close();
    const database = await start();
    const reason = new Error('no longer');
    await expect(database.whenReady(AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('is one for the whole application, and closed with it', async () => {
    @Module({
      providers: [{ provide: DATABASE_OPTIONS, useValue: optionsOf(url) }],
      exports: [DATABASE_OPTIONS],
    })
    class OptionsModule {}
    const application = await Test.createTestingModule({
      imports: [{ module: OptionsModule, global: true }, DatabaseModule.forRoot()],
    }).compile();
    const database = application.get(Database);
    expect(application.get(DataSource)).toBe(database.dataSource);
    await application.close();
    expect(database.state).toBe('closed');
  });
});
