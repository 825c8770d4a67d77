import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Logger } from '@nestjs/common';
import { Client } from 'pg';
import { type Clock, SystemClock } from '../../libs/flow-control/src/clock.js';
import { Database } from '../../src/database/database.js';
import { isPostmaster, processState } from '../../src/database/embedded/process-state.js';
import { assertReachable } from '../../src/database/embedded/run-as-user.js';
import { FolderInUseError } from '../../src/database/errors/folder-in-use.error.js';
import { embeddedOptions } from '../support/embedded-options.js';
import { FakeClock } from '../support/fake-clock.js';
import { until } from '../support/until.js';

const SUPPORT = path.resolve(__dirname, '..', 'support');
const OWNER_SCRIPT = path.join(SUPPORT, 'database-owner.ts');

interface Owner {
  readonly process: ChildProcess;
  readonly postmaster: number;
  readonly error: string | undefined;
}

jest.setTimeout(60_000);
Logger.overrideLogger(false);

describe('the embedded database', () => {
  let folder: string;
  const opened: Database[] = [];
  const owners: ChildProcess[] = [];

  const start = async (clock: Clock = new SystemClock()): Promise<Database> => {
    const database = await Database.start({ options: embeddedOptions(folder), clock });
    opened.push(database);
    return database;
  };

  /** Starts the database in a process of its own, which a test may kill. */
  const startOwner = async (): Promise<Owner> => {
    const process_ = fork(path.join(SUPPORT, 'run-typescript.cjs'), [OWNER_SCRIPT, folder], {
      execArgv: ['--conditions=source'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    owners.push(process_);
    const [message] = (await once(process_, 'message')) as [{ pid?: number; error?: string }];
    return { process: process_, postmaster: message.pid ?? 0, error: message.error };
  };

  const query = async <Row extends object>(database: Database, text: string): Promise<Row[]> => {
    const client = new Client(database.clientConfig('test'));
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  };

  const deadPid = async (): Promise<number> => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    return child.pid ?? 0;
  };

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'penstock-embedded-'));
    // Under root PostgreSQL runs as another user, who has to get in.
    chmodSync(folder, 0o755);
  });

  afterEach(async () => {
    for (const owner of owners.splice(0)) {
      if (owner.exitCode !== null || owner.signalCode !== null) continue;
      owner.kill('SIGTERM');
      await once(owner, 'exit');
    }
    for (const database of opened.splice(0)) await database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is made at the first start, ready with its schema, behind a password and a private folder', async () => {
    const database = await start();
    expect(database.state).toBe('ready');
    expect(database.embedded).toBe(true);
    expect(await query(database, 'SELECT * FROM journal')).toEqual([]);
    expect(readdirSync(folder).toSorted()).toEqual(['postgres', 'postgres.log']);
    expect(statSync(path.join(folder, 'postgres')).mode & 0o777).toBe(0o700);
    const url = new URL(String(database.clientConfig('test').connectionString));
    await expect(
      new Client({
        host: url.hostname,
        port: Number(url.port),
        user: 'app',
        database: 'postgres',
        password: 'wrong',
      }).connect(),
    ).rejects.toMatchObject({ code: '28P01' });
  });

  it('ends with the service and comes back with what it held', async () => {
    const first = await start();
    const postmaster = first.embeddedPid ?? 0;
    await query(first, `INSERT INTO setting VALUES ('a', '1', NULL, 'test')`);
    await first.close();
    expect(isPostmaster(postmaster, path.join(folder, 'postgres'))).toBe(false);
    expect(existsSync(path.join(folder, 'postgres', 'postmaster.pid'))).toBe(false);
    const second = await start();
    expect(await query(second, 'SELECT name FROM setting')).toEqual([{ name: 'a' }]);
  });

  it('outlives a killed service, and the next start takes it over as it is', async () => {
    const { process: owner, postmaster } = await startOwner();
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    expect(isPostmaster(postmaster, path.join(folder, 'postgres'))).toBe(true);
    const heir = await start();
    expect(heir.embeddedPid).toBe(postmaster);
    expect(heir.state).toBe('ready');
    await heir.close();
    // A container's first process may leave it a zombie.
    expect(isPostmaster(postmaster, path.join(folder, 'postgres'))).toBe(false);
  });

  it('refuses a second start and names the owner, who goes on undisturbed', async () => {
    const { process: owner, postmaster } = await startOwner();
    const second = start();
    await expect(second).rejects.toBeInstanceOf(FolderInUseError);
    await expect(second).rejects.toThrow(`in use by process ${owner.pid}`);
    expect(isPostmaster(postmaster, path.join(folder, 'postgres'))).toBe(true);
  });

  it('lets one of two first starts win; the other one names it', async () => {
    const both = await Promise.all([startOwner(), startOwner()]);
    const [winner, ...others] = both.filter(({ error }) => error === undefined);
    expect(others).toEqual([]);
    const loser = both.find(({ error }) => error !== undefined);
    expect(loser?.error).toContain(`in use by process ${winner?.process.pid}`);
    expect(readdirSync(folder).toSorted()).toEqual(['postgres', 'postgres.log']);
  });

  it('starts over a pid file whose process is dead', async () => {
    await (await start()).close();
    const pidFile = path.join(folder, 'postgres', 'postmaster.pid');
    writeFileSync(
      pidFile,
      `${await deadPid()}\n${folder}/postgres\n0\n5432\n\n127.0.0.1\n\nready\n`,
    );
    expect((await start()).state).toBe('ready');
  });

  it('starts over a pid file whose number belongs to another program by now', async () => {
    await (await start()).close();
    const pidFile = path.join(folder, 'postgres', 'postmaster.pid');
    writeFileSync(pidFile, `${process.pid}\n${folder}/postgres\n0\n5432\n\n127.0.0.1\n\nready\n`);
    expect((await start()).state).toBe('ready');
  });

  it('is started again after a crash, at the same address, and still ours', async () => {
    const database = await start();
    const crashed = database.embeddedPid ?? 0;
    const { connectionString } = database.clientConfig('test');
    process.kill(crashed, 'SIGKILL');
    await until(() => database.state === 'away', { what: 'the loss' });
    await until(() => database.state === 'ready', { what: 'the return', deadlineMs: 30_000 });
    expect(database.embeddedPid).not.toBe(crashed);
    expect(database.clientConfig('test').connectionString).toBe(connectionString);
    expect(await query(database, 'SELECT * FROM journal')).toEqual([]);
    await expect(start()).rejects.toThrow(`in use by process ${process.pid}`);
  });

  it('fails, and leaves the folder alone, when another service took it over after a crash (E3, D3)', async () => {
    const clock = new FakeClock();
    const database = await start(clock);
    const fatal = once(database, 'fatal');
    process.kill(database.embeddedPid ?? 0, 'SIGKILL');
    await until(() => database.state === 'away', { what: 'the loss' });
    const { postmaster, error } = await startOwner();
    expect(error).toBeUndefined();
    await clock.advanceAsync(2_000);
    const [reason] = (await fatal) as [Error];
    expect(reason).toBeInstanceOf(FolderInUseError);
    expect(database.state).toBe('failed');
    await expect(database.whenReady()).rejects.toBe(reason);
    await database.close();
    expect(isPostmaster(postmaster, path.join(folder, 'postgres'))).toBe(true);
  });

  it('waits twice as long after each failed restart, and comes back when the cause is gone', async () => {
    const clock = new FakeClock();
    const database = await start(clock);
    const log = jest.spyOn(Logger.prototype, 'warn').mockImplementation();
    const waits = (): string[] =>
      log.mock.calls.flatMap(([text]) => /starting it in (\d+) ms/.exec(String(text))?.[1] ?? []);
    const settings = path.join(folder, 'postgres', 'postgresql.conf');
    const working = readFileSync(settings, 'utf8');
    writeFileSync(settings, 'no_such_setting = 1\n');
    process.kill(database.embeddedPid ?? 0, 'SIGKILL');
    const pastAttempt = async (count: number, waitMs: number): Promise<void> => {
      await until(() => waits().length === count, { what: `crash ${count}` });
      await clock.advanceAsync(waitMs);
    };
    await until(() => database.state === 'away', { what: 'the loss' });
    await clock.advanceAsync(500);
    await pastAttempt(1, 1_000);
    await pastAttempt(2, 2_000);
    await pastAttempt(3, 0);
    writeFileSync(settings, working);
    await clock.advanceAsync(4_000);
    await until(
      async () => {
        await clock.advanceAsync(100);
        return database.state === 'ready';
      },
      { what: 'the return' },
    );
    expect(waits()).toEqual(['1000', '2000', '4000']);
    log.mockRestore();
  });

  it('starts over a service and a PostgreSQL that were both killed, with what it held', async () => {
    const { process: owner, postmaster } = await startOwner();
    owner.kill('SIGKILL');
    process.kill(postmaster, 'SIGKILL');
    await once(owner, 'exit');
    await until(() => typeof processState(postmaster) === 'string', { what: 'PostgreSQL is gone' });
    const heir = await start();
    expect(heir.embeddedPid).not.toBe(postmaster);
    const migrations = readdirSync('migrations').length;
    expect(await query(heir, 'SELECT count(*)::int AS n FROM migration')).toEqual([
      { n: migrations },
    ]);
  });

  it('removes what a killed first start left', async () => {
    const leftover = path.join(folder, `initdb-${await deadPid()}`);
    mkdirSync(leftover);
    writeFileSync(`${leftover}.password`, 'secret');
    await start();
    expect(readdirSync(folder).toSorted()).toEqual(['postgres', 'postgres.log']);
  });

  it('says what to do when its password is lost, and starts nothing', async () => {
    await (await start()).close();
    rmSync(path.join(folder, 'postgres', 'penstock.password'));
    await expect(start()).rejects.toThrow('or set another DATA_DIR');
    expect(existsSync(path.join(folder, 'postgres', 'postmaster.pid'))).toBe(false);
  });

  it('names the folder that its user can not enter', async () => {
    const privateFolder = mkdtempSync(path.join(tmpdir(), 'penstock-private-'));
    chmodSync(privateFolder, 0o700);
    try {
      const folderInside = path.join(privateFolder, 'inside');
      const asNobody = { name: 'nobody', uid: 65_534, gid: 65_534 };
      expect(() => assertReachable(folderInside, asNobody)).toThrow(
        `Run "chmod o+x ${privateFolder}"`,
      );
    } finally {
      rmSync(privateFolder, { recursive: true });
    }
  });

  it('shows the end of the log when PostgreSQL can not start', async () => {
    await (await start()).close();
    writeFileSync(path.join(folder, 'postgres', 'postgresql.conf'), 'no_such_setting = 1\n');
    await expect(start()).rejects.toThrow('no_such_setting');
  });
});
