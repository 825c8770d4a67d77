import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { EmbeddedDatabaseError } from '../errors/embedded-database.error.js';
import { pollUntil } from './poll-until.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import { type PostmasterPid, postmasterPidPath, readPostmasterPid } from './postmaster-pid.js';
import { isPostmaster, processState } from './process-state.js';
import type { RunAsUser } from './run-as-user.js';

const READY = 'ready';

/** Crash recovery reads the log since the last checkpoint; minutes of it mean that something else is wrong. */
const READY_DEADLINE_MS = 300_000;

/** A fast stop writes a checkpoint. */
const STOP_DEADLINE_MS = 60_000;

const MAX_LOG_BYTES = 10_485_760;
const LOG_TAIL_CHARS = 2_000;

/** sun_path of the smallest platform (macOS) less the longest socket name. */
const MAX_SOCKET_FOLDER_BYTES = 103 - '/.s.PGSQL.65535'.length;

export interface PostmasterSettings {
  readonly folder: string;
  readonly logFile: string;
  readonly binaries: PostgresBinaries;
  readonly user: RunAsUser | undefined;
}

/**
 * The postmaster that serves `folder`, or undefined. A pid file whose process has ended, is a zombie, or is another program
 * by now is removed: PostgreSQL itself would take the last two for a running server and refuse to start.
 */
export function findPostmaster(folder: string): PostmasterPid | undefined {
  const found = readPostmasterPid(folder);
  if (found === undefined) return undefined;
  if (isPostmaster(found.pid, folder)) return found;
  rmSync(postmasterPidPath(folder), { force: true });
  return undefined;
}

/** Resolves when the server answers; rejects with the end of its log when it ends instead. */
export async function untilReady(
  settings: PostmasterSettings,
  pid: number,
  hasEnded: () => boolean,
): Promise<{ pid: number; port: number }> {
  let found: PostmasterPid | undefined;
  let ended = false;
  const settled = await pollUntil(() => {
    ended = hasEnded();
    found = readPostmasterPid(settings.folder);
    return ended || (found?.pid === pid && found.status === READY);
  }, READY_DEADLINE_MS);
  if (!ended && settled && found !== undefined) return found;
  const what = ended ? 'ended at its start' : `was not ready after ${READY_DEADLINE_MS} ms`;
  throw new EmbeddedDatabaseError(
    `The embedded PostgreSQL ${what}. The end of its log (${settings.logFile}):\n${logTail(settings.logFile)}`,
  );
}

/** Starts a postmaster that outlives us; the caller waits for `untilReady`. */
export function spawnPostmaster(settings: PostmasterSettings, port: number): ChildProcess {
  const { folder, logFile, binaries, user } = settings;
  rotate(logFile);
  const log = openSync(logFile, 'a', 0o600);
  const socketFolder = Buffer.byteLength(folder) <= MAX_SOCKET_FOLDER_BYTES ? folder : '';
  try {
    const child = spawn(
      binaries.postgres,
      [
        `-D${folder}`,
        '-clisten_addresses=127.0.0.1',
        `-cport=${port}`,
        `-cunix_socket_directories=${socketFolder}`,
      ],
      {
        cwd: folder,
        detached: true,
        stdio: ['ignore', log, log],
        ...(user && { uid: user.uid, gid: user.gid }),
      },
    );
    // A failed spawn has no pid; without a listener its error would end the process.
    child.on('error', () => undefined);
    return child;
  } finally {
    closeSync(log);
  }
}

/** Stops the server with a fast shutdown, by its pid; resolves when it has ended. */
export async function stopPostmaster(settings: PostmasterSettings, pid: number): Promise<void> {
  if (!isPostmaster(pid, settings.folder)) return;
  if (process.platform === 'win32') {
    await promisify(execFile)(settings.binaries.pgCtl, ['kill', 'INT', String(pid)]);
  } else {
    process.kill(pid, 'SIGINT');
  }
  const hasEnded = (): boolean => typeof processState(pid) === 'string';
  if (await pollUntil(hasEnded, STOP_DEADLINE_MS)) return;
  throw new EmbeddedDatabaseError(
    `The embedded PostgreSQL (process ${pid}) has not stopped after ${STOP_DEADLINE_MS} ms; it goes on by itself. ` +
      `The end of its log (${settings.logFile}):\n${logTail(settings.logFile)}`,
  );
}

/** A port of 127.0.0.1 that nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

function rotate(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.1`);
}

function logTail(logFile: string): string {
  return existsSync(logFile) ? readFileSync(logFile, 'utf8').slice(-LOG_TAIL_CHARS).trim() : '';
}
