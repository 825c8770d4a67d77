import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedDatabaseError } from '../errors/embedded-database.error.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import { processState } from './process-state.js';
import { assertReachable, type RunAsUser } from './run-as-user.js';

export const SUPERUSER = 'app';

const PASSWORD_FILE = 'penstock.password';
const PASSWORD_BYTES = 24;
const NEW_PREFIX = 'initdb-';

/** The folder of the database inside DATA_DIR. */
export function dataFolderOf(dataDir: string): string {
  return path.resolve(dataDir, 'postgres');
}

/**
 * Makes the data folder unless it is there. It is made under another name and renamed when it is complete, with its
 * password inside, so a crash leaves nothing half done and of two first starts one wins. True when it was made.
 */
export async function ensureDataFolder(
  dataDir: string,
  binaries: PostgresBinaries,
  user: RunAsUser | undefined,
): Promise<boolean> {
  const folder = dataFolderOf(dataDir);
  await mkdir(path.dirname(folder), { recursive: true });
  if (user !== undefined) {
    assertReachable(folder, user);
    assertReachable(binaries.postgres, user);
  }
  if (existsSync(folder)) return false;
  await removeLeftovers(path.dirname(folder));
  const fresh = path.join(path.dirname(folder), `${NEW_PREFIX}${process.pid}`);
  try {
    await initialise(fresh, binaries, user);
    await rename(fresh, folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if ((code === 'ENOTEMPTY' || code === 'EEXIST') && existsSync(folder)) return false;
    throw error;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

/** The superuser's password, which only the folder's owner can read. */
export function readPassword(dataDir: string): string {
  const file = path.join(dataFolderOf(dataDir), PASSWORD_FILE);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new EmbeddedDatabaseError(
      `The password of the embedded database can't be read: ${(error as Error).message}. ` +
        `Start the service as the owner of ${dataFolderOf(dataDir)}, restore the file, or set another DATA_DIR.`,
      { cause: error },
    );
  }
}

async function initialise(
  folder: string,
  binaries: PostgresBinaries,
  user: RunAsUser | undefined,
): Promise<void> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  const passwordFile = `${folder}.password`;
  await mkdir(folder, { mode: 0o700 });
  try {
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (user !== undefined) {
      await chown(folder, user.uid, user.gid);
      await chown(passwordFile, user.uid, user.gid);
    }
    await runInitdb(folder, passwordFile, binaries, user);
    const kept = path.join(folder, PASSWORD_FILE);
    await writeFile(kept, password, { mode: 0o600, flush: true });
    if (user !== undefined) await chown(kept, user.uid, user.gid);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function runInitdb(
  folder: string,
  passwordFile: string,
  binaries: PostgresBinaries,
  user: RunAsUser | undefined,
): Promise<void> {
  const settings = [
    `--pgdata=${folder}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--data-checksums',
  ];
  try {
    await promisify(execFile)(binaries.initdb, settings, {
      cwd: folder,
      ...(user && { uid: user.uid, gid: user.gid }),
    });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new EmbeddedDatabaseError(
      `The embedded database can't be made in ${path.dirname(folder)}: ${stderr?.trim() || message}. ` +
        `See that the disk has room and the folder is writable (musl libc is not supported), or set DATABASE_URL.`,
      { cause: error },
    );
  }
}

/** Removes what first starts left behind that were killed. */
async function removeLeftovers(dataDir: string): Promise<void> {
  for (const name of readdirSync(dataDir)) {
    if (!name.startsWith(NEW_PREFIX)) continue;
    const pid = Number.parseInt(name.slice(NEW_PREFIX.length), 10);
    if (pid !== process.pid && typeof processState(pid) !== 'string') continue;
    await rm(path.join(dataDir, name), { recursive: true, force: true });
  }
}
