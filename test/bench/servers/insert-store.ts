import { Pool } from 'pg';
import type { OrderRecord } from './record-schema.js';

/** As many connections as our service's pool has by default. */
const CONNECTIONS = 10;

/** One insert a request, each in a transaction of its own: what one writes first. */
export class InsertStore {
  private readonly pool: Pool;

  constructor(connectionString: string) {
    this.pool = new Pool({ connectionString, max: CONNECTIONS });
  }

  async insert(ids: readonly string[], records: readonly OrderRecord[]): Promise<void> {
    const [first] = records;
    if (records.length === 1 && first !== undefined) {
      await this.pool.query({
        name: 'insert-one',
        text: 'INSERT INTO intake (record_id, key, payload) VALUES ($1, $2, $3)',
        values: [ids[0], keyOf(first), JSON.stringify(first.payload)],
      });
      return;
    }
    await this.pool.query({
      name: 'insert-many',
      text: `INSERT INTO intake (record_id, key, payload)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::jsonb[])`,
      values: [ids, records.map(keyOf), records.map(({ payload }) => JSON.stringify(payload))],
    });
  }
}

function keyOf({ key, payload }: OrderRecord): string {
  return key ?? payload.customerId;
}
