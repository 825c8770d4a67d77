/**
 * What operators have changed: who, when, what, from which value to which.
 *
 * A1  One info line for each change, whatever becomes of the row.
 * A2  The last `KEPT_ENTRIES` changes are in the database, in one row of `setting`, so that any replica can show them.
 * A3  A change that has happened is never taken back, nor answered with an error, because it could not be noted.
 * A4  An entry is bounded: values beyond `LONGEST_VALUE` characters of JSON are left out of it.
 */
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { instanceOf } from '../config/instance.js';
import { SERVICE_OPTIONS, type ServiceOptions } from '../config/service.options.js';
import { describeError } from '../database/failure-kind.js';
import { type Operator, operatorText } from './operator.js';

/** One change, as the one who makes it tells it. */
export interface Change {
  /** What was done, as a verb: `pause`, `redrive`, `discard`. */
  readonly action: string;
  /** To what: `pipeline`, `stage FinalSink`, `dead letter 01890…`. */
  readonly target: string;
  /** Anything that JSON can hold; absent where there is nothing to tell. Never a payload or a secret. */
  readonly from?: unknown;
  readonly to?: unknown;
}

export interface AuditEntry extends Change {
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly by: string;
  /** The replica that was asked. */
  readonly instance: string;
}

const KEPT_ENTRIES = 100;
const LONGEST_VALUE = 1000;

const APPEND = `
  INSERT INTO setting (name, value, changed_by) VALUES ('audit', jsonb_build_array($1::jsonb), $2)
  ON CONFLICT (name) DO UPDATE SET
    value = (CASE WHEN jsonb_array_length(setting.value) < ${KEPT_ENTRIES} THEN setting.value ELSE setting.value - 0 END)
      || EXCLUDED.value,
    changed_by = EXCLUDED.changed_by,
    changed_at = now()`;

@Injectable()
export class Audit {
  private readonly log = new Logger('Audit');

  constructor(
    private readonly database: DataSource,
    @Inject(SERVICE_OPTIONS) private readonly options: ServiceOptions,
  ) {}

  /** Notes a change that has happened. Waits for the row; never rejects (A3). */
  async record(operator: Operator, change: Change): Promise<void> {
    const entry = this.entryOf(operatorText(operator), change);
    this.log.log(sentenceOf(entry));
    try {
      await this.database.query(APPEND, [JSON.stringify(entry), entry.by]);
    } catch (error) {
      this.log.warn(`This change is noted in the log only: ${describeError(error)}`);
    }
  }

  /** The latest changes of every replica, newest first. Rejects while the database is away. */
  async latest(): Promise<readonly AuditEntry[]> {
    const rows = await this.database.query<{ value: AuditEntry[] }[]>(
      `SELECT value FROM setting WHERE name = 'audit'`,
    );
    return (rows[0]?.value ?? []).toReversed();
  }

  private entryOf(by: string, { action, target, from, to }: Change): AuditEntry {
    return {
      at: new Date().toISOString(),
      by,
      instance: instanceOf(this.options),
      action,
      target,
      ...(from !== undefined && { from: bounded(from) }),
      ...(to !== undefined && { to: bounded(to) }),
    };
  }
}

function sentenceOf({ by, action, target, from, to }: AuditEntry): string {
  const was = from === undefined ? '' : `, was ${JSON.stringify(from)}`;
  const is = to === undefined ? '' : `, is ${JSON.stringify(to)}`;
  return `${by}: ${action} ${target}${was}${is}`;
}

function bounded(value: unknown): unknown {
  return JSON.stringify(value).length > LONGEST_VALUE ? '(too long to be kept)' : value;
}
