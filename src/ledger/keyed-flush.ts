import type { PipelineRecord } from '../pipeline/record.js';
import { byteaArray, textArray } from './binary-array.js';
import type { FlushCall } from './flush-queue.js';
import type { Replay } from './journal.port.js';

/** A row of a flush with keys: a record whose key has an earlier one, by its place among the rows, from 1 on. */
export type FoundKey = ['replayed' | 'reused', string | null, string | null];
export type ReplaysByRecord = ReadonlyMap<PipelineRecord, Replay>;

/** The part of JournalRow that is looked at here. */
interface KeyedRow {
  readonly record: PipelineRecord;
}

/** Whether a flush needs the statement with keys, which costs more. */
export function hasKeys(rows: readonly KeyedRow[]): boolean {
  return rows.some(({ record }) => record.idempotencyKey !== undefined);
}

/** What a flush with keys has beyond one without: the keys and their fingerprints. */
export function keyColumns(rows: readonly KeyedRow[]): [Buffer, Buffer] {
  return [
    textArray(rows.map(({ record }) => record.idempotencyKey?.key ?? null)),
    byteaArray(rows.map(({ record }) => record.idempotencyKey?.fingerprint ?? null)),
  ];
}

export function replaysOf(
  found: readonly FoundKey[],
  calls: readonly FlushCall<KeyedRow, unknown>[],
): ReplaysByRecord {
  const rows = calls.flatMap((call) => call.items);
  return new Map(
    found.map(([kind, place, earlierId]) => {
      const { record } = rows[Number(place) - 1]!;
      return [record, { record, earlierId: String(earlierId), isSame: kind === 'replayed' }];
    }),
  );
}

/** Those of one call, in its order. */
export function replaysIn(rows: readonly KeyedRow[], replays: ReplaysByRecord): readonly Replay[] {
  return rows.flatMap(({ record }) => replays.get(record) ?? []);
}
