import { Injectable } from '@nestjs/common';
import { isPassing } from '../database/failure-kind.js';
import {
  type AbsentPosition,
  type AcknowledgedRun,
  isAbsent,
  type RecordAcknowledgment,
  RecordLookup,
  type RecordStatus,
} from '../ledger/lookup.port.js';
import { letterOf } from '../ledger/redriven.js';
import { isUuid } from '../ledger/uuid-v7.js';
import { failedAttemptAnswer } from '../pipeline/failed-attempt.js';
import { InFlight } from '../pipeline/in-flight.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import type { RecordStatusAnswer } from './records.schema.js';
import { RequestError } from './request-error.js';

/** A database that is away is mostly back within a failover. */
const DATABASE_RETRY_MS = 5000;

/** Where a record is: in this process, else in the books. */
@Injectable()
export class RecordStatusLookup {
  constructor(
    private readonly inFlight: InFlight,
    private readonly books: RecordLookup,
    private readonly runtime: StageRuntime,
  ) {}

  /**
   * Rejects with `not-found` for a record that nobody knows, with `expired` for one that is no longer kept, with
   * `database-away` when the books can't be read. With a tenant only its own records are known; what Kafka brought belongs to none.
   */
  async find(id: string, tenant?: string): Promise<RecordStatusAnswer> {
    // Positions can be guessed, and say which topics there are.
    if (tenant !== undefined && !isUuid(id)) throw noRecord();
    const present = this.inFlight.get(id);
    const found = present === undefined ? await this.known(id) : await this.present(present);
    if (tenant !== undefined && found.tenant !== tenant) throw noRecord();
    return found;
  }

  private async known(id: string): Promise<RecordStatusAnswer> {
    const known = await this.inBooks(id);
    if (known === undefined) throw noRecord();
    if (isAbsent(known)) throw absentError(known);
    return knownStatus(known);
  }

  /** Of a record in flight only the books know which of several sinks have acknowledged it; or that it has just ended. */
  private async present(record: PipelineRecord): Promise<RecordStatusAnswer> {
    const shown = presentStatus(record);
    if (this.runtime.pauses.sinks().length < 2) return shown;
    const known = await this.inBooks(record.id);
    if (known === undefined || isAbsent(known)) return shown;
    if (known.status !== 'accepted') return knownStatus(known);
    return { ...shown, acknowledgments: known.acknowledgments.map(acknowledgmentAnswer) };
  }

  private async inBooks(id: string): Promise<RecordStatus | AbsentPosition | undefined> {
    try {
      return await this.books.find(id);
    } catch (error) {
      if (!isPassing(error)) throw error;
      const detail = 'The database does not answer, so nobody can say where the record is.';
      throw new RequestError('database-away', detail, { retryAfterMs: DATABASE_RETRY_MS });
    }
  }
}

function noRecord(): RequestError {
  return new RequestError('not-found', 'There is no record of this id.');
}

function presentStatus(record: PipelineRecord): RecordStatusAnswer {
  const { id, tenant, key, priority, stage, attempts, failures } = record;
  const letter = letterOf(record);
  return {
    id,
    status: 'accepted',
    tenant,
    acceptedAt: new Date(record.acceptedAtMs).toISOString(),
    ...(key === undefined ? {} : { key }),
    priority,
    stage,
    attempts,
    acknowledgments: [],
    ...(letter === undefined ? {} : { redrives: letter.redriveCount }),
    ...(failures === undefined ? {} : { failures: failures.map(failedAttemptAnswer) }),
  };
}

function knownStatus(known: RecordStatus): RecordStatusAnswer {
  const { acceptedAt, endedAt, acknowledgments, failures, deadLetters, run, trail, ...rest } =
    known;
  return {
    ...rest,
    ...(acceptedAt === undefined ? {} : { acceptedAt: acceptedAt.toISOString() }),
    ...(endedAt === undefined ? {} : { endedAt: endedAt.toISOString() }),
    acknowledgments: acknowledgments.map(acknowledgmentAnswer),
    ...(failures === undefined ? {} : { failures: failures.map(failedAttemptAnswer) }),
    ...(deadLetters === undefined ? {} : { deadLetters: [...deadLetters] }),
    ...(trail === undefined ? {} : { trail: [...trail] }),
    ...(run === undefined ? {} : { run: runAnswer(run) }),
  };
}

function absentError({ status, topic, partition, low }: AbsentPosition): RequestError {
  const place = `Partition ${partition} of ${topic}`;
  if (status === 'expired') {
    const detail = `${place} has ended up to offset ${low}, this record among them; what became of it is no longer kept.`;
    return new RequestError('expired', detail);
  }
  const detail = `${place} has ended up to offset ${low} (exclusive); this record is not among them.`;
  return new RequestError('not-found', detail);
}

function runAnswer({ firstOffset, lastOffset, records, acknowledgedAt }: AcknowledgedRun) {
  return {
    firstOffset: `${firstOffset}`,
    lastOffset: `${lastOffset}`,
    records,
    acknowledgedAt: acknowledgedAt.toISOString(),
  };
}

function acknowledgmentAnswer({ acknowledgedAt, ...rest }: RecordAcknowledgment) {
  return { ...rest, acknowledgedAt: acknowledgedAt.toISOString() };
}
