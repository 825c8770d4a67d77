import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { FOLDER_LOCK, LOCK_SPACE } from './advisory-locks.js';
import { processState } from './embedded/process-state.js';
import { FolderInUseError } from './errors/folder-in-use.error.js';

/** The server notices within this time that the process behind a session is dead. */
const DEAD_OWNER_DEADLINE_MS = 5_000;
const RETRY_MS = 20;

const OWNER = /^penstock\/(\d+)$/;

/** The application name of the session that holds the lock; the lock's owner is found by it. */
export function ownerName(pid: number): string {
  return `penstock/${pid}`;
}

/** Undefined for a session that isn't one of ours. */
export function ownerPid(applicationName: string): number | undefined {
  const digits = OWNER.exec(applicationName)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * Takes the lock that says who owns the embedded database's folder; it lasts as long as the client's session. Rejects with
 * FolderInUseError when a living process has it; a dead owner's session is given time to end.
 */
export async function takeFolderLock(client: Client, folder: string): Promise<void> {
  const endMs = performance.now() + DEAD_OWNER_DEADLINE_MS;
  while (!(await tryLock(client))) {
    const owner = await readOwner(client);
    if (owner === 'nobody') continue;
    const isAlive = owner.pid === undefined || typeof processState(owner.pid) !== 'string';
    if (isAlive || performance.now() >= endMs) throw new FolderInUseError(folder, owner.pid);
    await pause(RETRY_MS);
  }
}

async function tryLock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(
    'SELECT pg_try_advisory_lock($1, $2) AS taken',
    [LOCK_SPACE, FOLDER_LOCK],
  );
  return rows[0]?.taken === true;
}

async function readOwner(client: Client): Promise<'nobody' | { pid: number | undefined }> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1 AND l.objid = $2
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [LOCK_SPACE, FOLDER_LOCK],
  );
  const [row] = rows;
  return row === undefined ? 'nobody' : { pid: ownerPid(row.name) };
}
