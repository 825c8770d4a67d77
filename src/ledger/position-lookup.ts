import { type FoundRow, foundStatus } from './found-record.js';
import { type KafkaPosition, positionId } from './kafka-position.js';
import type { AbsentPosition, RecordStatus } from './lookup.port.js';
import type { RowReader } from './row-reader.js';
import { FIND_POSITION, FIND_POSITION_END } from './statements/lookup.statements.js';

/** bigint columns come as text; those of the run are null together. */
interface PositionRow {
  readonly start: string;
  readonly low: string;
  readonly done_above: boolean;
  readonly first_offset: string | null;
  readonly last_offset: string | null;
  readonly record_count: string | null;
  readonly acknowledged_at: Date | null;
}

/** Finds a Kafka record by its position: by its dead letter or exception, by its run, by its bit above the watermark. */
export class PositionLookup {
  constructor(private readonly database: RowReader) {}

  async find(position: KafkaPosition): Promise<RecordStatus | AbsentPosition | undefined> {
    const { topic, incarnation, partition, offset } = position;
    const place = [topic, incarnation, partition, `${offset}`];
    const id = positionId(position);
    // The watermark first: what ends between the two reads is found by the second.
    const [row] = await this.database.query<PositionRow[]>(FIND_POSITION, place);
    const ends = await this.database.query<FoundRow[]>(FIND_POSITION_END, [...place, id]);
    // A run covers its exceptions too.
    return foundStatus(id, ends) ?? (row && verdictOf(position, id, row));
  }
}

function verdictOf(
  { topic, partition, offset }: KafkaPosition,
  id: string,
  row: PositionRow,
): RecordStatus | AbsentPosition | undefined {
  const { first_offset, last_offset, record_count, acknowledged_at } = row;
  const acknowledged = { id, status: 'acknowledged', acknowledgments: [] } as const;
  if (first_offset !== null && last_offset !== null && acknowledged_at !== null) {
    const run = {
      firstOffset: BigInt(first_offset),
      lastOffset: BigInt(last_offset),
      records: Number(record_count),
      acknowledgedAt: acknowledged_at,
    };
    return { ...acknowledged, endedAt: acknowledged_at, run };
  }
  if (row.done_above) return acknowledged;
  const low = BigInt(row.low);
  // What lies before the start was never ours.
  if (offset < BigInt(row.start)) return undefined;
  return { id, status: offset < low ? 'expired' : 'not-seen', topic, partition, low };
}
