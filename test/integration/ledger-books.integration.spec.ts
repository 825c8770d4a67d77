import { Logger } from '@nestjs/common';
import {
  byteaArray,
  int2Array,
  int8Array,
  textArray,
  uuidArray,
} from '../../src/ledger/binary-array.js';
import { Conservation } from '../../src/ledger/conservation.js';
import { JournalVacuum } from '../../src/ledger/journal-vacuum.js';
import { PostgresRecordLookup } from '../../src/ledger/record-lookup.js';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import type { FailedAttempt, PipelineRecord } from '../../src/pipeline/record.js';
import { FakeClock } from '../support/fake-clock.js';
import {
  deliveredEnding,
  endingOf,
  makeRecord,
  makeRecords,
  startLedger,
  type TestLedger,
} from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

Logger.overrideLogger(false);

const FAILURE: FailedAttempt = {
  atMs: 1_767_225_600_000,
  stage: 'AsyncEgress',
  destination: 'https://example.org',
  error: 'answered 500',
  status: 500,
};

describe('the books', () => {
  let db: TestDatabase;
  let test: TestLedger;
  let lookup: PostgresRecordLookup;
  let conservation: Conservation;

  beforeEach(async () => {
    db = await createTestDatabase();
    await ensureSinkTable(db.pool, 'delivered');
    test = await startLedger(db.url);
    lookup = new PostgresRecordLookup(await db.dataSource());
    conservation = new Conservation(await db.dataSource());
  });
  afterEach(async () => {
    await test.ledger.stop();
    await db.drop();
  });

  it('reads binary arrays as it reads the text arrays of pg', async () => {
    const uuids = makeRecords(3).map((record) => record.id);
    const texts = ['', 'größer 😀', null, 'a"b\\c,{}', 'NULL'];
    const bytes = [Buffer.alloc(0), Buffer.from([0, 255, 10]), null];
    const numbers = [0, -32_768, 32_767];
    const big = [0n, -9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n];
    const { rows } = await db.pool.query(
      `SELECT $1::uuid[] = $2::uuid[] AS uuid, $3::text[] IS NOT DISTINCT FROM $4::text[] AS text,
        $5::bytea[] IS NOT DISTINCT FROM $6::bytea[] AS bytea, $7::int2[] = $8::int2[] AS int2,
        $9::int8[] = $10::int8[] AS int8, cardinality($11::text[]) AS empty`,
      [
        uuidArray(uuids),
        uuids,
        textArray(texts),
        texts,
        byteaArray(bytes),
        bytes,
        int2Array(numbers),
        numbers,
        int8Array(big),
        big.map(String),
        textArray([]),
      ],
    );
    expect(rows).toEqual([
      { uuid: true, text: true, bytea: true, int2: true, int8: true, empty: 0 },
    ]);
  });

  it('balance after a mix of every kind of end, also across a restart', async () => {
    const records = makeRecords(100);
    await Promise.all(records.map((record) => test.journal.append([record])));
    await test.journal.discard(
      makeRecords(5, () => ({ verdict: { kind: 'discarded', reason: 'test' } })),
    );
    await Promise.all(
      records
        .slice(0, 80)
        .map((record, index) =>
          test.acknowledgments.finish([
            [
              endingOf(record),
              deliveredEnding(record),
              endingOf(record, { terminal: { status: 'dead-lettered', reason: 'final' } }),
              endingOf(record, { terminal: { status: 'discarded', reason: 'no-dead-letters' } }),
            ][index % 4]!,
          ]),
        ),
    );
    const expected = { accepted: 105, acknowledged: 40, deadLettered: 20, discarded: 25 };
    await expect(conservation.read()).resolves.toEqual({
      ...expected,
      inFlight: 20,
      balanced: true,
      sources: {
        rest: expected,
        kafka: { accepted: 0, acknowledged: 0, deadLettered: 0, discarded: 0 },
      },
    });
    await test.ledger.stop();
    test = await startLedger(db.url, { instanceId: 'replica-2' });
    await test.acknowledgments.finish(records.slice(80).map((record) => endingOf(record)));
    await expect(conservation.read()).resolves.toMatchObject({ inFlight: 0, balanced: true });
  });

  it('do not balance when a journal row is lost', async () => {
    await expect(conservation.read()).resolves.toMatchObject({ accepted: 0, balanced: true });
    await test.journal.append(makeRecords(3));
    await db.pool.query('DELETE FROM journal WHERE seq = (SELECT min(seq) FROM journal)');
    await expect(conservation.read()).resolves.toMatchObject({ inFlight: 2, balanced: false });
  });

  it('find a record in the journal, by its acknowledgment and by its dead letter', async () => {
    const [waiting, acknowledged, dead] = makeRecords(3, () => ({
      key: 'k',
      tenant: 'acme',
      priority: 'critical',
    })) as [PipelineRecord, PipelineRecord, PipelineRecord];
    dead.failures = [FAILURE, { ...FAILURE, error: 'answered 501', status: 501 }];
    dead.stage = 'AsyncEgress';
    await test.journal.append([waiting, acknowledged, dead]);
    await test.acknowledgments.finish([
      endingOf(acknowledged, { attempts: 2, destination: 'kafka', externalId: 'orders-out:0:17' }),
      endingOf(dead, {
        terminal: { status: 'dead-lettered', reason: 'attempts' },
        destination: 'egress',
      }),
    ]);
    await expect(lookup.find(waiting.id.toUpperCase())).resolves.toEqual({
      id: waiting.id,
      status: 'accepted',
      tenant: 'acme',
      acceptedAt: expect.any(Date),
      key: 'k',
      priority: 'critical',
      acknowledgments: [],
    });
    await expect(lookup.find(acknowledged.id)).resolves.toEqual({
      id: acknowledged.id,
      status: 'acknowledged',
      tenant: 'acme',
      acceptedAt: expect.any(Date),
      endedAt: expect.any(Date),
      acknowledgments: [
        {
          destination: 'kafka',
          attempts: 2,
          acknowledgedAt: expect.any(Date),
          externalId: 'orders-out:0:17',
        },
      ],
    });
    await expect(lookup.find(dead.id)).resolves.toMatchObject({
      status: 'dead-lettered',
      reason: 'attempts',
      failures: dead.failures,
      acknowledgments: [],
    });
    await expect(lookup.find('orders:0:17')).resolves.toBeUndefined();
  });

  it('keep a dead letter as its record was accepted, with every attempt', async () => {
    const record = makeRecord({ headers: { a: 'b' }, key: 'k', payload: { raw: true } });
    await test.journal.append([record]);
    record.body = Buffer.from('"enriched by egress"');
    record.failures = [FAILURE];
    record.stage = 'FinalSink';
    const terminal = { status: 'dead-lettered', reason: 'final' } as const;
    await test.acknowledgments.finish([endingOf(record, { terminal })]);
    const { rows } = await db.pool.query('SELECT * FROM dead_letter');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      record_id: record.id,
      destination: 'postgres',
      key: 'k',
      partition: record.partition,
      priority: 2,
      headers: Buffer.from('{"a":"b"}'),
      payload: Buffer.from('{"raw":true}'),
      reason: 'final',
      stage: 'FinalSink',
      attempts: [FAILURE],
      state: 'waiting',
    });
  });

  it('count dead letters from the table at the start, and up to the bound', async () => {
    const records = makeRecords(3);
    await test.journal.append(records);
    const terminal = { status: 'dead-lettered', reason: 'final' } as const;
    const dead = records.map((record) => endingOf(record, { terminal }));
    await test.acknowledgments.finish([dead[0]!]);
    // Entered before: counted once.
    await test.acknowledgments.finish([dead[0]!]);
    expect(test.deadLetters.count).toBe(1);
    await test.ledger.stop();
    test = await startLedger(db.url, { maxLetters: 2 });
    expect(test.deadLetters.count).toBe(1);
    expect(test.deadLetters.free).toBe(1);
    await test.acknowledgments.finish([dead[1]!, dead[2]!]);
    expect(test.deadLetters.count).toBe(3);
    expect(test.deadLetters.free).toBe(-1);
  });

  it('find the rows that a constraint of the sink refuses by halving, whatever else is in the batch', async () => {
    await db.pool.query('ALTER TABLE delivered ADD CHECK ((payload->>0)::int <> 13)');
    const records = makeRecords(40, (index) => ({ payload: [index] }));
    await test.journal.append(records);
    const terminal = { status: 'dead-lettered', reason: 'final' } as const;
    const endings = records.map((record, index) =>
      index % 10 === 9 ? endingOf(record, { terminal }) : deliveredEnding(record),
    );
    const refused = (
      await Promise.all(endings.map((ending) => test.acknowledgments.finish([ending])))
    ).flat();
    expect(refused).toHaveLength(1);
    expect(refused[0]).toMatchObject({ ending: endings[13], sqlState: '23514' });
    const { rows } = await db.pool.query(
      `SELECT (SELECT count(*)::int FROM delivered) AS delivered, (SELECT count(*)::int FROM dead_letter) AS dead,
        (SELECT count(*)::int FROM journal) AS journal`,
    );
    expect(rows).toEqual([{ delivered: 35, dead: 4, journal: 1 }]);
    // Its end can be another one then.
    await expect(
      test.acknowledgments.finish([endingOf(records[13]!, { terminal })]),
    ).resolves.toEqual([]);
    await expect(conservation.read()).resolves.toMatchObject({ inFlight: 0, balanced: true });
  });

  it('write the output row with key, headers, partition and the time of acceptance', async () => {
    await ensureSinkTable(db.pool, 'delivered');
    await ensureSinkTable(db.pool, 'public.Other$1');
    const [first, second] = makeRecords(2, () => ({ key: 'k', partition: 3 })) as [
      PipelineRecord,
      PipelineRecord,
    ];
    await test.journal.append([first, second]);
    const output = { key: 'k', payload: Buffer.from('{"größe":1}'), headers: '{"a":"b"}' };
    await test.acknowledgments.finish([
      endingOf(first, { output: { ...output, table: 'delivered' } }),
      endingOf(second, { output: { ...output, table: 'public.Other$1' } }),
    ]);
    const expected = {
      key: 'k',
      payload: { größe: 1 },
      headers: { a: 'b' },
      partition: 3,
      accepted_at: expect.any(Date),
      delivered_at: expect.any(Date),
    };
    expect((await db.pool.query('SELECT * FROM delivered')).rows).toEqual([
      { ...expected, record_id: first.id },
    ]);
    expect((await db.pool.query('SELECT * FROM public."Other$1"')).rows).toEqual([
      { ...expected, record_id: second.id },
    ]);
  });

  it('enter a record once when one batch finishes it twice', async () => {
    const [blocker, record] = makeRecords(2) as [PipelineRecord, PipelineRecord];
    await test.journal.append([blocker, record]);
    const outcomes = await Promise.all([
      test.acknowledgments.finish([endingOf(blocker)]),
      test.acknowledgments.finish([endingOf(record), endingOf(record)]),
      test.acknowledgments.finish([endingOf(record)]),
    ]);
    expect(outcomes.flat()).toEqual([]);
    await expect(conservation.read()).resolves.toMatchObject({ acknowledged: 2, balanced: true });
  });

  it('refuse a call whose value the database refuses, and keep the calls flushed with it', async () => {
    const [first, bad, good] = makeRecords(3) as [PipelineRecord, PipelineRecord, PipelineRecord];
    bad.key = 'nul \u0000';
    const outcomes = await Promise.allSettled(
      [first, bad, good].map((record) => test.journal.append([record])),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({
      reason: { code: 'LEDGER_RECORD_REFUSED', sqlState: '22021' },
    });
    expect(test.journal.snapshot().records).toBe(2);
  });

  it('refuse an id that is no UUID, and keep the records beside it', async () => {
    const record = makeRecord();
    const position = makeRecord({ id: 'orders:0:17' });
    const outcomes = await Promise.allSettled(
      [record, position].map((one) => test.journal.append([one])),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    const endings = [endingOf(record), endingOf(position)];
    const refused = await test.acknowledgments.finish(endings);
    expect(refused.map(({ ending }) => ending)).toEqual([endings[1]]);
    await expect(conservation.read()).resolves.toMatchObject({ acknowledged: 1, balanced: true });
  });

  it('are vacuumed with the ledger’s own statements', async () => {
    const clock = new FakeClock();
    await test.journal.append(makeRecords(10));
    const vacuum = new JournalVacuum({
      database: await db.dataSource(),
      clock,
      flushedRecords: () => test.journal.snapshot().flushedRecords,
    });
    vacuum.start();
    clock.advance(5_000);
    const tables = await until(
      async () => {
        const { rows } = await db.pool.query<{ name: string }>(
          `SELECT relname AS name FROM pg_stat_user_tables WHERE vacuum_count > 0 ORDER BY relname`,
        );
        return rows.length === 2 && rows.map(({ name }) => name);
      },
      { what: 'both tables to be vacuumed' },
    );
    expect(tables).toEqual(['handover', 'journal']);
    await vacuum.stop();
  });
});
