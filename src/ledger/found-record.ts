import { type FailedAttempt, PRIORITIES } from '../pipeline/record.js';
import type { LetterEvent } from './letter-trail.js';
import type { DestinationDeadLetter, RecordAcknowledgment, RecordStatus } from './lookup.port.js';
import { OUTCOME } from './statements/acknowledge.statements.js';

/** One place where a record was found. */
export interface FoundRow {
  readonly book: 'journal' | 'acknowledgment' | 'dead_letter';
  readonly tenant: string;
  readonly accepted_at: Date;
  readonly key: string | null;
  readonly priority: number | null;
  readonly ended_at: Date;
  readonly destination: string;
  readonly outcome: number | null;
  readonly attempts: number;
  readonly external_id: string | null;
  readonly reason: string | null;
  readonly failures: FailedAttempt[] | null;
  /** Of a dead letter, as the next two. */
  readonly state: 'waiting' | 'redriving' | 'redriven' | 'discarded' | null;
  readonly redrives: number | null;
  readonly trail: LetterEvent[] | null;
}

const isOf = (book: FoundRow['book']) => (row: FoundRow) => row.book === book;
const isDead = ({ state }: FoundRow) => state === 'waiting' || state === 'discarded';

/**
 * What the rows of a record say together. A letter that waits, or was discarded, weighs most: its other destinations may
 * have acknowledged it. In the journal, or with a letter that is on its way again, it goes on, whoever has acknowledged it
 * already. A redriven letter has its end in the acknowledgments. Undefined for no row.
 */
export function foundStatus(id: string, rows: readonly FoundRow[]): RecordStatus | undefined {
  const first =
    rows.find(isDead) ??
    rows.find(isOf('journal')) ??
    rows.find(({ state }) => state === 'redriving') ??
    rows.find(({ outcome }) => outcome === OUTCOME.discarded) ??
    rows.find(isOf('acknowledgment')) ??
    rows[0];
  return first && { ...statusOf(id, first, rows), ...trailOf(rows) };
}

function statusOf(id: string, row: FoundRow, rows: readonly FoundRow[]): RecordStatus {
  const acknowledgments = rows
    .filter((one) => one.book === 'acknowledgment' && one.outcome === OUTCOME.acknowledged)
    .map(acknowledgmentOf);
  const dead = rows.filter(isDead);
  const isShared = dead.length > 0 && rows.length > 1;
  const status = statusWord(row);
  const isReasonOfEnd = row.reason !== null && status !== 'accepted' && status !== 'acknowledged';
  const failures = (dead.length > 0 ? dead : [row]).flatMap((one) => one.failures ?? []);
  return {
    id,
    status,
    tenant: row.tenant,
    acceptedAt: row.accepted_at,
    acknowledgments,
    ...(row.key !== null && { key: row.key }),
    ...(row.priority !== null && { priority: PRIORITIES[row.priority] ?? 'normal' }),
    ...(isReasonOfEnd && { reason: row.reason }),
    ...endOf(row),
    ...(row.failures !== null && { failures }),
    ...(isShared && { deadLetters: dead.map(deadLetterOf) }),
  };
}

function statusWord(row: FoundRow): RecordStatus['status'] {
  if (row.book === 'journal' || row.state === 'redriving') return 'accepted';
  if (row.book === 'acknowledgment') {
    return row.outcome === OUTCOME.discarded ? 'discarded' : 'acknowledged';
  }
  if (row.state !== 'redriven') return 'dead-lettered';
  // Retention has dropped its acknowledgment: the letter alone says how it ended.
  return row.trail?.at(-1)?.event === 'discarded' ? 'discarded' : 'acknowledged';
}

function endOf(row: FoundRow): { endedAt?: Date } {
  if (statusWord(row) === 'accepted') return {};
  const at = row.state === 'redriven' ? row.trail?.at(-1)?.at : undefined;
  return { endedAt: at === undefined ? row.ended_at : new Date(at) };
}

function trailOf(rows: readonly FoundRow[]): Pick<RecordStatus, 'redrives' | 'trail'> {
  const events = rows
    .flatMap(({ trail }) => trail ?? [])
    .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  if (events.length === 0) return {};
  const redrives = events.filter(({ event }) => event === 'redrive').length;
  const trail = events.map(({ by: _by, ...event }) => event);
  return { ...(redrives > 0 && { redrives }), trail };
}

function deadLetterOf({ destination, reason }: FoundRow): DestinationDeadLetter {
  return { destination, reason: reason ?? 'unknown' };
}

function acknowledgmentOf(row: FoundRow): RecordAcknowledgment {
  return {
    destination: row.destination,
    attempts: row.attempts,
    acknowledgedAt: row.ended_at,
    ...(row.external_id !== null && { externalId: row.external_id }),
  };
}
