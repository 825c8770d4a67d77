import { Injectable } from '@nestjs/common';
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
import { InFlight } from '../pipeline/in-flight.js';
import type { FailedAttempt, PipelineRecord } from '../pipeline/record.js';
import type { RecordStatusAnswer } from './records.schema.js';
import { RequestError } from './request-error.js';

/** Where a record is: in this process, else in the books. */
@Injectable()
export class RecordStatusLookup {
  constructor(
    private readonly inFlight: InFlight,
    private readonly books: RecordLookup,
  ) {}

  /**
   * Rejects with `not-found` for a record that nobody knows, with `expired` for one that is no longer kept. With a
   * tenant only its own records are known; what Kafka brought belongs to none.
   */
  async find(id: string, tenant?: string): Promise<RecordStatusAnswer> {
    // Positions can be guessed, and say which topics there are.
    if (tenant !== undefined && !isUuid(id)) throw noRecord();
    const present = this.inFlight.get(id);
    const found = present === undefined ? await this.known(id) : presentStatus(present);
    if (tenant !== undefined && found.tenant !== tenant) throw noRecord();
    return found;
  }

  private async known(id: string): Promise<RecordStatusAnswer> {
    const known = await this.books.find(id);
    if (known === undefined) throw noRecord();
    if (isAbsent(known)) throw absentError(known);
    return knownStatus(known);
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
    ...(failures === undefined ? {} : { failures: failures.map(failureAnswer) }),
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
    ...(failures === undefined ? {} : { failures: failures.map(failureAnswer) }),
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

function failureAnswer({ atMs, ...rest }: FailedAttempt) {
  return { at: new Date(atMs).toISOString(), ...rest };
}
