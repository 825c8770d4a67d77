import { readFileSync } from 'node:fs';
import path from 'node:path';

/** What PostgreSQL writes into `postmaster.pid`, a line a fact. */
export interface PostmasterPid {
  readonly pid: number;
  readonly port: number;
  /** 'starting', 'ready', 'stopping', ...; undefined until PostgreSQL has written it. */
  readonly status: string | undefined;
}

const PID_LINE = 0;
const PORT_LINE = 3;
const STATUS_LINE = 7;

export function postmasterPidPath(folder: string): string {
  return path.join(folder, 'postmaster.pid');
}

/** Undefined when the text holds no pid, as while PostgreSQL is creating the file. */
export function parsePostmasterPid(text: string): PostmasterPid | undefined {
  const lines = text.split('\n');
  // A stand-alone back end writes its pid negated.
  const pid = Math.abs(Number.parseInt(lines[PID_LINE] ?? '', 10));
  if (!Number.isSafeInteger(pid) || pid === 0) return undefined;
  const port = Number.parseInt(lines[PORT_LINE] ?? '', 10);
  const status = lines[STATUS_LINE]?.trim();
  return { pid, port: Number.isSafeInteger(port) ? port : 0, status: status || undefined };
}

/** Undefined when there is no such file, or no pid in it yet. */
export function readPostmasterPid(folder: string): PostmasterPid | undefined {
  try {
    return parsePostmasterPid(readFileSync(postmasterPidPath(folder), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
