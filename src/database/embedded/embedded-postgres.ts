/**
 * A PostgreSQL of our own in DATA_DIR: made at the first start, found again at later ones, kept running, stopped by pid.
 *
 * E1  It is a process of its own that outlives a killed service; the next start reuses it.
 * E2  Who owns it is not decided here but by a session lock in the database (folder-lock.ts). Nobody stops or restarts a
 *     postmaster without holding that lock: `supervise` and `stop` are for the holder.
 * E3  The address never changes while we run: a crashed postmaster comes back on the same port. One that somebody else
 *     started in the meantime is not ours: `lost`.
 * E4  No process is ever ended by name, and no pid is signalled that isn't a postmaster of this folder.
 *
 * starting → running ⇄ crashed (1 s doubling to 30 s between the attempts) → stopped, or lost
 */
import { EventEmitter } from 'node:events';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock, Timer } from '#libs/flow-control';
import { EmbeddedDatabaseError } from '../errors/embedded-database.error.js';
import { FolderInUseError } from '../errors/folder-in-use.error.js';
import { dataFolderOf, ensureDataFolder, readPassword, SUPERUSER } from './data-folder.js';
import { locateBinaries } from './postgres-binaries.js';
import {
  findPostmaster,
  freePort,
  type PostmasterSettings,
  spawnPostmaster,
  stopPostmaster,
  untilReady,
} from './postmaster.js';
import { isPostmaster, processState } from './process-state.js';
import { runAsUser } from './run-as-user.js';

/**
 * Between our look and our start another process may take the free port, or start a postmaster here; and back ends of a
 * killed postmaster, whose memory keeps a new one out, need a moment to end.
 */
const START_ATTEMPTS = 5;
const FIRST_ATTEMPT_PAUSE_MS = 100;

const WATCH_INTERVAL_MS = 500;
const FIRST_RESTART_MS = 1_000;
const MAX_RESTART_MS = 30_000;

/** Survived this long, the next crash begins with the shortest wait again. */
const STABLE_MS = 60_000;

export type StartKind = 'first' | 'started' | 'reused';

interface Events {
  /** The postmaster is gone; the next attempt comes after `retryMs`. */
  crashed: [{ pid: number; retryMs: number; error?: Error }];
  restarted: [{ pid: number }];
  /** Another process serves the folder now. */
  lost: [FolderInUseError];
}

interface Running {
  readonly pid: number;
  readonly port: number;
}

export class EmbeddedPostgres extends EventEmitter<Events> {
  private state: 'running' | 'crashed' | 'stopped' = 'running';
  private restartMs = FIRST_RESTART_MS;
  private runningSinceMs: number;
  private timer: Timer | undefined;
  private restarting: Promise<void> | undefined;

  private constructor(
    private readonly settings: PostmasterSettings,
    private running: Running,
    private readonly password: string,
    readonly startKind: StartKind,
    private readonly clock: Clock,
  ) {
    super();
    this.runningSinceMs = clock.now();
  }

  /** Starts or finds the postmaster of `dataDir`; resolves when it takes connections. */
  static async start(dataDir: string, clock: Clock): Promise<EmbeddedPostgres> {
    const folder = dataFolderOf(dataDir);
    const binaries = locateBinaries();
    const user = runAsUser(folder);
    const isFirst = await ensureDataFolder(dataDir, binaries, user);
    const logFile = path.join(path.dirname(folder), 'postgres.log');
    const settings = { folder, logFile, binaries, user };
    const password = readPassword(dataDir);
    const { running, isReused } = await launchOrFind(settings);
    const kind = isFirst ? 'first' : isReused ? 'reused' : 'started';
    return new EmbeddedPostgres(settings, running, password, kind, clock);
  }

  get folder(): string {
    return this.settings.folder;
  }

  get pid(): number {
    return this.running.pid;
  }

  get url(): string {
    return `postgres://${SUPERUSER}:${this.password}@127.0.0.1:${this.running.port}/postgres`;
  }

  /** Begins to restart the postmaster when it crashes, once the folder's lock is held (E2). Idempotent. */
  supervise(): void {
    if (this.timer === undefined && this.state === 'running') this.watchIn(WATCH_INTERVAL_MS);
  }

  /** Stops the postmaster and the supervision; resolves when its process has ended. For the lock's holder (E2). */
  async stop(): Promise<void> {
    this.leave();
    // A restart that is on its way has to be stopped as well.
    await this.restarting;
    await stopPostmaster(this.settings, this.running.pid);
  }

  /** Ends the supervision and leaves the postmaster alone. */
  leave(): void {
    this.state = 'stopped';
    this.timer?.cancel();
  }

  private watchIn(delayMs: number): void {
    this.timer = this.clock.setTimer(delayMs, () => this.look());
  }

  private look(): void {
    if (this.state === 'crashed') {
      this.restarting = this.restart();
    } else if (isPostmaster(this.running.pid, this.settings.folder)) {
      if (this.clock.now() - this.runningSinceMs > STABLE_MS) this.restartMs = FIRST_RESTART_MS;
      this.watchIn(WATCH_INTERVAL_MS);
    } else {
      this.crashed();
    }
  }

  private crashed(error?: Error): void {
    this.state = 'crashed';
    const retryMs = this.restartMs;
    this.restartMs = Math.min(2 * retryMs, MAX_RESTART_MS);
    this.emit('crashed', { pid: this.running.pid, retryMs, ...(error && { error }) });
    this.watchIn(retryMs);
  }

  /** Never rejects: a failed attempt is a crash like the first one. */
  private async restart(): Promise<void> {
    const { port } = this.running;
    try {
      const found = findPostmaster(this.settings.folder);
      if (found !== undefined && found.port !== port) {
        this.leave();
        this.emit('lost', new FolderInUseError(this.settings.folder, undefined));
        return;
      }
      const running = found ?? (await launch(this.settings, port));
      this.running = { pid: running.pid, port };
    } catch (error) {
      if (this.state !== 'stopped') this.crashed(error as Error);
      return;
    }
    if (this.state === 'stopped') return;
    this.state = 'running';
    this.runningSinceMs = this.clock.now();
    this.emit('restarted', { pid: this.running.pid });
    this.watchIn(WATCH_INTERVAL_MS);
  }
}

async function launchOrFind(
  settings: PostmasterSettings,
): Promise<{ running: Running; isReused: boolean }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const found = findPostmaster(settings.folder);
      if (found === undefined) {
        return { running: await launch(settings, await freePort()), isReused: false };
      }
      const hasEnded = (): boolean => typeof processState(found.pid) === 'string';
      return { running: await untilReady(settings, found.pid, hasEnded), isReused: true };
    } catch (error) {
      if (!(error instanceof EmbeddedDatabaseError) || attempt === START_ATTEMPTS) throw error;
      await pause(FIRST_ATTEMPT_PAUSE_MS * 2 ** (attempt - 1));
    }
  }
}

async function launch(settings: PostmasterSettings, port: number): Promise<Running> {
  const child = spawnPostmaster(settings, port);
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const { pid } = child;
  if (pid === undefined) {
    throw new EmbeddedDatabaseError(
      `${settings.binaries.postgres} can't be run. Set DATABASE_URL.`,
    );
  }
  const ready = await untilReady(settings, pid, hasEnded);
  // From here on it lives its own life and must not keep us alive.
  child.unref();
  return ready;
}
