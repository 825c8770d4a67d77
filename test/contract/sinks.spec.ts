import { PostgresSink } from '../../src/final-sink/sinks/postgres.sink.js';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import { failed, InMemorySink } from '../support/in-memory-sink.js';
import { makeRecord, startLedger, type TestLedger } from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { DELIVERY, sinkContract, type SinkUnderTest } from './sink.contract.js';

const REFUSED = 'refused by the destination';

for (const isOrdered of [true, false]) {
  sinkContract(`The ${isOrdered ? 'ordered' : 'unordered'} sink in memory`, async () => {
    const sink = new InMemorySink({ isOrdered });
    sink.answer = ({ payload }) =>
      payload === REFUSED ? failed('final') : { kind: 'acknowledged' };
    return {
      sink,
      accepted: async (fields) => makeRecord(fields),
      refusable: async (fields) => makeRecord({ ...fields, payload: REFUSED }),
      delivered: async () => [...sink.rows.keys()],
      endOf: async () => undefined,
    };
  });
}

describe('PostgresSink on PostgreSQL', () => {
  let database: TestDatabase;
  let books: TestLedger;
  let tables = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    books = await startLedger(database.url);
  });

  afterAll(async () => {
    await books.ledger.stop();
    await database.drop();
  });

  async function makeSink(): Promise<SinkUnderTest & { readonly table: string }> {
    tables += 1;
    const table = `delivered_${tables}`;
    const { acknowledgments, journal } = books;
    const sink = new PostgresSink(acknowledgments, {
      name: 'postgres',
      isShared: false,
      table,
      ensureTable: (name) => ensureSinkTable(database.pool, name),
    });
    await sink.start();
    const accepted: SinkUnderTest['accepted'] = async (fields) => {
      const record = makeRecord(fields);
      await journal.append([record]);
      return record;
    };
    return {
      sink,
      table,
      accepted,
      refusable: (fields) => accepted({ ...fields, body: Buffer.from('{"no JSON"') }),
      delivered: async () => {
        const { rows } = await database.pool.query<{ record_id: string }>(
          `SELECT record_id FROM ${table} ORDER BY ctid`,
        );
        return rows.map(({ record_id }) => record_id);
      },
      endOf: async ({ id }) => {
        const { rowCount } = await database.pool.query(
          'SELECT 1 FROM acknowledgment WHERE record_id = $1',
          [id],
        );
        return rowCount === 1 ? 'acknowledged' : undefined;
      },
    };
  }

  sinkContract('PostgresSink', makeSink);

  it('writes key, payload and headers as they are to be delivered', async () => {
    const { sink, accepted, table } = await makeSink();
    const record = await accepted({
      key: 'customer-42',
      headers: { source: 'test' },
      body: Buffer.from('{ "total" : 1.50 }'),
    });
    await sink.deliver([record], DELIVERY);
    const { rows } = await database.pool.query(
      `SELECT record_id, key, payload, headers FROM ${table}`,
    );
    expect(rows).toEqual([
      {
        record_id: record.id,
        key: 'customer-42',
        payload: { total: 1.5 },
        headers: { source: 'test' },
      },
    ]);
  });

  it('takes a table that is there as it is', async () => {
    const { sink, accepted, delivered } = await makeSink();
    await sink.deliver([await accepted({})], DELIVERY);
    await sink.start();
    expect(await delivered()).toHaveLength(1);
  });

  it('names the SQLSTATE of a row that PostgreSQL refuses', async () => {
    const { sink, refusable } = await makeSink();
    const [outcome] = await sink.deliver([await refusable({})], DELIVERY);
    expect(outcome).toMatchObject({
      failure: { message: expect.stringMatching(/^PostgreSQL refuses the row \(SQLSTATE 22P02\)/) },
    });
  });
});
