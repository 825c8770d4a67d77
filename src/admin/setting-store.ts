/**
 * The table `setting`: what operators have changed, for every replica and over restarts.
 *
 * SS1 one row a name; the last change of a name wins, and two at a time come one after the other.
 * SS2 what has expired is not read, whoever removes it.
 * SS3 time is the database's: replicas may differ in theirs.
 */
import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { LOCK_SPACE, SETTINGS_LOCK } from '../database/advisory-locks.js';

export interface StoredSetting {
  readonly name: string;
  readonly value: unknown;
  /** Absent: it holds until it is changed. */
  readonly expiresInMs?: number;
  readonly expiresAt?: Date;
  readonly changedBy: string;
  readonly changedAt: Date;
}

export interface SettingChange {
  readonly by: string;
  /** Absent: it holds until it is changed. */
  readonly ttlMs?: number;
}

interface Row {
  readonly name: string;
  readonly value: unknown;
  readonly expires_at: Date | null;
  readonly left_ms: number | null;
  readonly changed_by: string;
  readonly changed_at: Date;
}

const COLUMNS = `name, value, expires_at, (extract(epoch FROM expires_at - now()) * 1000)::float8 AS left_ms,
  changed_by, changed_at`;
const IN_FORCE = '(expires_at IS NULL OR expires_at > now())';

const READ = `SELECT ${COLUMNS} FROM setting WHERE ${IN_FORCE} AND name <> 'audit'`;
const READ_ONE = `SELECT ${COLUMNS} FROM setting WHERE ${IN_FORCE} AND name = $1`;
const WRITE = `
  INSERT INTO setting (name, value, expires_at, changed_by)
  VALUES ($1, $2::jsonb, now() + $3::float8 * interval '1 ms', $4)
  ON CONFLICT (name) DO UPDATE SET
    value = EXCLUDED.value, expires_at = EXCLUDED.expires_at, changed_by = EXCLUDED.changed_by, changed_at = now()`;
const REMOVE = 'DELETE FROM setting WHERE name = $1';
const REMOVE_EXPIRED = 'DELETE FROM setting WHERE expires_at <= now()';

@Injectable()
export class SettingStore {
  constructor(private readonly database: DataSource) {}

  /** All that is in force. Rejects while the database is away. */
  async read(): Promise<readonly StoredSetting[]> {
    const rows = await this.database.query<Row[]>(READ);
    return rows.map(settingOf);
  }

  /**
   * Changes one setting: `next` gets what is in force and gives what is to be; undefined removes it. It may throw, then
   * nothing is changed. Resolves with false when it is in force already: then who changed it last, and when, stays.
   */
  change(
    name: string,
    { by, ttlMs }: SettingChange,
    next: (current: unknown) => unknown,
  ): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      await lock(manager);
      const [row] = await manager.query<Row[]>(READ_ONE, [name]);
      const to = next(row?.value);
      const isTimed = ttlMs !== undefined || typeof row?.left_ms === 'number';
      if (!isTimed && isDeepStrictEqual(row?.value, to)) return false;
      if (to === undefined) await manager.query(REMOVE, [name]);
      else await manager.query(WRITE, [name, JSON.stringify(to), ttlMs ?? null, by]);
      return true;
    });
  }

  /** Writes a row that only this replica writes. */
  async put(name: string, value: unknown, { by, ttlMs }: SettingChange): Promise<void> {
    await this.database.query(WRITE, [name, JSON.stringify(value), ttlMs ?? null, by]);
  }

  /** Names of replicas that are gone would gather. */
  async removeExpired(): Promise<void> {
    await this.database.query(REMOVE_EXPIRED);
  }
}

function lock(manager: EntityManager): Promise<unknown> {
  return manager.query('SELECT pg_advisory_xact_lock($1, $2)', [LOCK_SPACE, SETTINGS_LOCK]);
}

function settingOf({ name, value, ...row }: Row): StoredSetting {
  return {
    name,
    value,
    ...(row.left_ms !== null && { expiresInMs: row.left_ms }),
    ...(row.expires_at !== null && { expiresAt: row.expires_at }),
    changedBy: row.changed_by,
    changedAt: row.changed_at,
  };
}
