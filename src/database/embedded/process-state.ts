import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import path from 'node:path';

/** A pid is 'gone', a 'zombie' nobody has reaped, or a running process with a name. */
export type ProcessState = 'gone' | 'zombie' | { readonly command: string };

/** States of /proc/<pid>/stat and ps that mean: has ended, waits for its parent. */
const ENDED = /^[ZX]/;

/**
 * The state of any process. A signal alone can't tell a zombie from a running process, and containers with a slow reaper
 * keep zombies for long. On Windows every living process counts as running `postgres`, as nothing cheap names it.
 */
export function processState(pid: number): ProcessState {
  if (!canBeSignalled(pid)) return 'gone';
  if (process.platform === 'linux') return linuxState(pid);
  if (process.platform === 'win32') return { command: 'postgres' };
  const { stdout } = spawnSync('ps', ['-o', 'stat=,comm=', '-p', String(pid)], {
    encoding: 'utf8',
  });
  return parsePs(stdout);
}

/** Whether `pid` is a living postmaster of `folder`, and not a process that got its number later. */
export function isPostmaster(pid: number, folder: string): boolean {
  const state = processState(pid);
  if (typeof state === 'string' || state.command !== 'postgres') return false;
  const workingDirectory = workingDirectoryOf(pid);
  return workingDirectory === undefined || workingDirectory === realpathSync(folder);
}

/** The format is `pid (name) state ...`, and the name may hold spaces and parentheses. */
export function parseProcStat(text: string): ProcessState {
  const end = text.lastIndexOf(')');
  const command = text.slice(text.indexOf('(') + 1, end);
  return ENDED.test(text.slice(end + 2)) ? 'zombie' : { command };
}

export function parsePs(line: string): ProcessState {
  const [, state, command] = /^\s*(\S+)\s+(.+?)\s*$/.exec(line) ?? [];
  if (state === undefined || command === undefined) return 'gone';
  return ENDED.test(state) ? 'zombie' : { command: path.basename(command) };
}

function canBeSignalled(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function linuxState(pid: number): ProcessState {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return 'gone';
    throw error;
  }
}

/** A postmaster works in its data folder. Undefined where we can't see it (another user, no /proc). */
function workingDirectoryOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // Not knowing is an answer here: the name alone then decides.
    return undefined;
  }
}
