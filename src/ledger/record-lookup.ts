import { type FoundRow, foundStatus } from './found-record.js';
import { parsePosition } from './kafka-position.js';
import { type AbsentPosition, RecordLookup, type RecordStatus } from './lookup.port.js';
import { PositionLookup } from './position-lookup.js';
import type { RowReader } from './row-reader.js';
import { FIND } from './statements/lookup.statements.js';
import { isUuid } from './uuid-v7.js';

/** Finds REST records (UUID ids) in the journal, the acknowledgments and the dead letters, Kafka records by position. */
export class PostgresRecordLookup extends RecordLookup {
  private readonly positions: PositionLookup;

  constructor(private readonly database: RowReader) {
    super();
    this.positions = new PositionLookup(database);
  }

  async find(id: string): Promise<RecordStatus | AbsentPosition | undefined> {
    if (isUuid(id)) {
      const known = id.toLowerCase();
      return (await this.findAll([known])).get(known);
    }
    const position = parsePosition(id);
    return position && this.positions.find(position);
  }

  async findAll(ids: readonly string[]): Promise<ReadonlyMap<string, RecordStatus>> {
    const rows = await this.database.query<(FoundRow & { id: string })[]>(FIND, [ids]);
    const places = new Map<string, FoundRow[]>();
    for (const row of rows) {
      const of = places.get(row.id);
      if (of === undefined) places.set(row.id, [row]);
      else of.push(row);
    }
    const found = new Map<string, RecordStatus>();
    for (const [id, of] of places) {
      const status = foundStatus(id, of);
      if (status !== undefined) found.set(id, status);
    }
    return found;
  }
}
