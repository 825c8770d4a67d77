import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Ledger } from '../ledger/ledger.js';
import { DeadLetterStore } from './dead-letter-store.js';
import { TAKE_UP, TO_TAKE_UP } from './letter.statements.js';
import { onPoolConnection } from './pool-session.js';
import type { TakenLetter } from './redrive-entry.port.js';

type QueuedRow = [id: string, recordId: string, sizeBytes: number];
type TakenRow = [
  id: string,
  recordId: string,
  redriveCount: number,
  destination: string,
  tenant: string,
  key: string | null,
  keyBytes: Buffer | null,
  partition: number | null,
  headers: Buffer | null,
  payload: Buffer | null,
  acceptedAtMs: string,
  source: number | null,
  sourcePartition: number | null,
  sourceOffset: string | null,
  acknowledgedBy: string[],
];

/** A letter that is to be taken up. */
export interface QueuedLetter {
  readonly id: string;
  readonly recordId: string;
  readonly sizeBytes: number;
}

/** What is to be sent again, as the table says; read through the pool. */
@Injectable()
export class RedriveQueue {
  constructor(
    private readonly database: DataSource,
    private readonly store: DeadLetterStore,
    private readonly ledger: Ledger,
  ) {}

  /** Reads how full the table is. */
  recount(): Promise<void> {
    return onPoolConnection(this.database, (session) => this.store.recount(session));
  }

  /** The next letters but for those of `known`, oldest first. */
  next(known: readonly string[], limit: number): Promise<readonly QueuedLetter[]> {
    return onPoolConnection(this.database, async (session) => {
      const { rows } = await session.query<QueuedRow>(TO_TAKE_UP, [known, limit]);
      return rows.map(([id, recordId, sizeBytes]) => ({ id, recordId, sizeBytes }));
    });
  }

  /** Undefined when the letter isn't being redriven any more. */
  take(id: string): Promise<TakenLetter | undefined> {
    return onPoolConnection(this.database, async (session) => {
      const { rows } = await session.query<TakenRow>(TAKE_UP, [id]);
      return rows[0] && letterOf(rows[0], this.ledger.destinations);
    });
  }
}

function letterOf(row: TakenRow, destinations: readonly string[]): TakenLetter {
  const [id, recordId, redriveCount, destination, tenant, key, keyBytes, partition] = row;
  const [, , , , , , , , headers, payload, acceptedAtMs, source, sourcePartition, offset] = row;
  const isOfOne = destinations.includes(destination);
  return {
    id,
    recordId,
    redriveCount,
    tenant,
    key,
    keyBytes,
    partition: partition ?? 0,
    headers,
    payload,
    acceptedAtMs: Number(acceptedAtMs),
    ...(isOfOne && { destination }),
    deliverTo: isOfOne ? new Set([destination]) : without(destinations, row[14]),
    ...(source !== null && {
      position: { source, partition: sourcePartition ?? 0, offset: BigInt(offset ?? 0) },
    }),
  };
}

/** Of a record that reached none of its destinations, or one that is no more: those that don't have it. */
function without(
  destinations: readonly string[],
  acknowledgedBy: readonly string[],
): ReadonlySet<string> | undefined {
  if (acknowledgedBy.length === 0) return undefined;
  return new Set(destinations.filter((name) => !acknowledgedBy.includes(name)));
}
