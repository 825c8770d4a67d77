import { type FailedAttempt, PRIORITIES } from '../pipeline/record.js';
import type { RecordAcknowledgment, RecordStatus } from './lookup.port.js';
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
}

/** What the rows of a record say together; a dead letter weighs most. Undefined for none. */
export function foundStatus(id: string, rows: readonly FoundRow[]): RecordStatus | undefined {
  const dead = rows.find((row) => row.book === 'dead_letter');
  const ended = rows.filter((row) => row.book === 'acknowledgment');
  const first = dead ?? ended[0] ?? rows[0];
  return first && statusOf(id, first, ended);
}

function statusOf(id: string, row: FoundRow, ended: readonly FoundRow[]): RecordStatus {
  const acknowledgments = ended
    .filter((one) => one.outcome === OUTCOME.acknowledged)
    .map(acknowledgmentOf);
  return {
    id,
    status: statusWord(row),
    tenant: row.tenant,
    acceptedAt: row.accepted_at,
    acknowledgments,
    ...(row.key !== null && { key: row.key }),
    ...(row.priority !== null && { priority: PRIORITIES[row.priority] ?? 'normal' }),
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.book !== 'journal' && { endedAt: row.ended_at }),
    ...(row.failures !== null && { failures: row.failures }),
  };
}

function statusWord(row: FoundRow): RecordStatus['status'] {
  if (row.book === 'journal') return 'accepted';
  if (row.book === 'dead_letter') return 'dead-lettered';
  return row.outcome === OUTCOME.discarded ? 'discarded' : 'acknowledged';
}

function acknowledgmentOf(row: FoundRow): RecordAcknowledgment {
  return {
    destination: row.destination,
    attempts: row.attempts,
    acknowledgedAt: row.ended_at,
    ...(row.external_id !== null && { externalId: row.external_id }),
  };
}
