import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { EmbeddedDatabaseError } from '../errors/embedded-database.error.js';

/** The user that PostgreSQL runs as: `uid` and `gid` go to spawn. */
export interface RunAsUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const PASSWD = '/etc/passwd';
const PREFERRED_USERS = ['postgres', 'nobody'];

/**
 * PostgreSQL refuses to run as root, so a root process runs it as the owner of the data folder, else as `postgres`, else as
 * `nobody`. Undefined for everybody else: it then runs as we do.
 */
export function runAsUser(dataFolder: string): RunAsUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = parsePasswd(readFileSync(PASSWD, 'utf8'));
  const owner = statSync(dataFolder, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) {
    const name = users.find((user) => user.uid === owner.uid)?.name ?? String(owner.uid);
    return { name, uid: owner.uid, gid: owner.gid };
  }
  for (const name of PREFERRED_USERS) {
    const user = users.find((candidate) => candidate.name === name);
    if (user !== undefined) return user;
  }
  throw new EmbeddedDatabaseError(
    `PostgreSQL refuses to run as root, and ${PASSWD} has no user ${PREFERRED_USERS.join(' or ')}. ` +
      `Start the service as another user, or set DATABASE_URL.`,
  );
}

/** Throws, naming the folder, when `user` can't enter one of the folders above `target`. */
export function assertReachable(target: string, user: RunAsUser): void {
  for (let folder = path.dirname(path.resolve(target)); ; folder = path.dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    if (!mayEnter(mode, { uid, gid }, user)) {
      throw new EmbeddedDatabaseError(
        `The embedded PostgreSQL runs as user ${user.name}, who can't enter ${folder} on the way to ${target}. ` +
          `Run "chmod o+x ${folder}", start the service as another user than root, or set DATABASE_URL.`,
      );
    }
    if (folder === path.dirname(folder)) return;
  }
}

/** The first class that fits decides, as in the kernel: owner, group, others. */
export function mayEnter(
  mode: number,
  folder: { uid: number; gid: number },
  user: { uid: number; gid: number },
): boolean {
  if (folder.uid === user.uid) return (mode & 0o100) !== 0;
  if (folder.gid === user.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

export function parsePasswd(text: string): RunAsUser[] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4 && !fields[0]?.startsWith('#'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}
