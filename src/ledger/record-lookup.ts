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
      const rows = await this.database.query<FoundRow[]>(FIND, [id.toLowerCase()]);
      return foundStatus(id.toLowerCase(), rows);
    }
    const position = parsePosition(id);
    return position && this.positions.find(position);
  }
}
