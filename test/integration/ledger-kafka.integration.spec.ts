import { Logger } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { Conservation } from '../../src/ledger/conservation.js';
import type { KafkaOrigin } from '../../src/ledger/kafka-position.js';
import { PostgresRecordLookup } from '../../src/ledger/record-lookup.js';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import type { FailedAttempt, PipelineRecord } from '../../src/pipeline/record.js';
import { KafkaPartition, RECEIVED_AT_MS } from '../support/kafka-partition.js';
import {
  backendOf,
  deliveredEnding,
  endingOf,
  makeRecord,
  otherConsumer,
  startLedger,
  type TestLedger,
} from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

Logger.overrideLogger(false);

const DEAD = { status: 'dead-lettered', reason: 'final' } as const;
const DISCARDED = { status: 'discarded', reason: 'test order' } as const;
const FAILURE: FailedAttempt = {
  atMs: RECEIVED_AT_MS,
  stage: 'FinalSink',
  destination: 'postgres',
  error: 'refused',
};
const NOTHING = { acknowledged: 0, deadLettered: 0, discarded: 0 };

describe('the books of Kafka records', () => {
  let db: TestDatabase;
  let test: TestLedger;
  let lookup: PostgresRecordLookup;
  let conservation: Conservation;
  let partition: KafkaPartition;

  beforeEach(async () => {
    db = await createTestDatabase();
    await ensureSinkTable(db.pool, 'delivered');
    test = await startLedger(db.url);
    lookup = new PostgresRecordLookup(await db.dataSource());
    conservation = new Conservation(await db.dataSource());
    partition = await KafkaPartition.take(test.kafkaBooks, 'orders', 3, 100n);
  });
  afterEach(async () => {
    await test.ledger.stop();
    await db.drop();
  });

  const range = (first: bigint, last: bigint): bigint[] =>
    Array.from({ length: Number(last - first) + 1 }, (_, index) => first + BigInt(index));
  const finish = (endings: Parameters<typeof test.acknowledgments.finish>[0]) =>
    test.acknowledgments.finish(endings);
  const runs = async (): Promise<string[]> =>
    (
      await db.pool.query<{ run: string }>(
        `SELECT source || ':' || partition || ' ' || first_offset || '-' || last_offset || ' ' || record_count AS run
         FROM acknowledgment_range ORDER BY source, partition, first_offset`,
      )
    ).rows.map(({ run }) => run);
  const delivered = async (): Promise<string[]> =>
    (
      await db.pool.query<{ id: string }>('SELECT record_id AS id FROM delivered ORDER BY 1')
    ).rows.map(({ id }) => id);
  const kafka = async (): Promise<object> => (await conservation.read()).sources.kafka;

  it('keep plain ends as bits, and append one run when the source moves low', async () => {
    const records = partition.begin(range(100n, 104n));
    await finish([endingOf(records[3]!), endingOf(records[0]!)]);
    expect(await runs()).toEqual([]);
    await finish([endingOf(records[1]!), endingOf(records[2]!)]);
    partition.done(100n, 101n, 102n, 103n);
    expect(await partition.write()).toBe(true);
    expect(await runs()).toEqual([`${partition.source}:3 100-103 4`]);
    await expect(kafka()).resolves.toEqual({ ...NOTHING, accepted: 4, acknowledged: 4 });
    const { rows } = await db.pool.query('SELECT count(*)::int AS n FROM acknowledgment_position');
    expect(rows).toEqual([{ n: 0 }]);
  });

  it('keep at the next assignment an end that the source has not written (PE1)', async () => {
    const records = partition.begin(range(100n, 102n));
    await finish([endingOf(records[0]!), deliveredEnding(records[2]!)]);
    const other = otherConsumer(test);
    const taken = await KafkaPartition.take(other.kafkaBooks, 'orders', 3);
    expect(taken.row).toMatchObject({ epoch: 2n, low: 100n, doneAbove: Buffer.from([0b101]) });
    expect(taken.mark.isDuplicate(taken.mark.relative(102n))).toBe(true);
    expect(taken.mark.isDuplicate(taken.mark.relative(101n))).toBe(false);
  });

  it('never take an end back for a watermark that was read before it (KB2)', async () => {
    const records = partition.begin(range(100n, 102n));
    await finish([endingOf(records[1]!)]);
    // The source has not heard of it yet.
    expect(await partition.write()).toBe(true);
    await finish([endingOf(records[1]!)]);
    await expect(kafka()).resolves.toEqual({ ...NOTHING, accepted: 1, acknowledged: 1 });
    await expect(lookup.find(records[1]!.id)).resolves.toMatchObject({ status: 'acknowledged' });
  });

  it('bridge gaps in a run, and say how many records it has', async () => {
    const records = partition.begin([100n, 105n, 106n]);
    await finish(records.map((record) => endingOf(record)));
    partition.done(100n, 105n, 106n);
    await partition.write();
    expect(await runs()).toEqual([`${partition.source}:3 100-106 3`]);
    await expect(conservation.read()).resolves.toMatchObject({ accepted: 3, balanced: true });
  });

  it('follow a source over a gap wider than the bitmap', async () => {
    const far = 100n + 1_000_000n;
    const [first] = partition.begin([100n]);
    await finish([endingOf(first!)]);
    partition.done(100n);
    const records = partition.begin([far, far + 1n]);
    await finish(records.map((record) => endingOf(record)));
    await expect(conservation.read()).resolves.toMatchObject({ accepted: 3, balanced: true });
    partition.done(far, far + 1n);
    await partition.write();
    const all = await runs();
    expect(all.at(-1)).toContain(`-${far + 1n} `);
    await expect(conservation.read()).resolves.toMatchObject({ accepted: 3, balanced: true });
  });

  it('keep exceptions, dead letters and discarded records with the watermark', async () => {
    const records = partition.begin(range(100n, 103n), { tenant: 'acme', key: 'k' });
    const [retried, dead, dropped, plain] = records as [
      PipelineRecord,
      PipelineRecord,
      PipelineRecord,
      PipelineRecord,
    ];
    dead.failures = [FAILURE];
    await finish([
      endingOf(retried, { attempts: 3, destination: 'kafka', externalId: 'out:0:5' }),
      endingOf(dead, { terminal: DEAD }),
      endingOf(dropped, { terminal: DISCARDED, destination: '' }),
      endingOf(plain, { destination: 'kafka', externalId: 'out:0:6' }),
    ]);
    partition.done(...range(100n, 103n));
    await partition.write();
    await expect(lookup.find(retried.id)).resolves.toEqual({
      id: 'orders:3:100',
      status: 'acknowledged',
      tenant: 'acme',
      acceptedAt: new Date(RECEIVED_AT_MS),
      endedAt: expect.any(Date),
      acknowledgments: [
        {
          destination: 'kafka',
          attempts: 3,
          acknowledgedAt: expect.any(Date),
          externalId: 'out:0:5',
        },
      ],
    });
    // A run covers it too.
    await expect(lookup.find(dead.id)).resolves.toMatchObject({
      id: 'orders:3:101',
      status: 'dead-lettered',
      reason: 'final',
      tenant: 'acme',
      key: 'k',
      failures: [FAILURE],
    });
    await expect(lookup.find(dropped.id)).resolves.toMatchObject({
      status: 'discarded',
      reason: 'test order',
    });
    await expect(lookup.find(plain.id)).resolves.toEqual({
      id: 'orders:3:103',
      status: 'acknowledged',
      acknowledgments: [],
      endedAt: expect.any(Date),
      run: { firstOffset: 100n, lastOffset: 103n, records: 4, acknowledgedAt: expect.any(Date) },
    });
    await expect(conservation.read()).resolves.toMatchObject({
      accepted: 4,
      acknowledged: 2,
      deadLettered: 1,
      discarded: 1,
      inFlight: 0,
      balanced: true,
    });
    expect(test.deadLetters.count).toBe(1);
  });

  it('keep a dead letter with what the record came with, whatever became of it', async () => {
    const key = Buffer.from([0x6b, 0x00, 0xff]);
    const original = { key, value: Buffer.from([0x7b, 0x00]) };
    const origin: KafkaOrigin = { settled: () => undefined, original: () => original };
    const [binary] = partition.begin([100n], { origin, key: 'k\u0000', headers: { a: 'b' } });
    const tombstone: KafkaOrigin = {
      settled: () => undefined,
      original: () => ({ key: Buffer.from('k'), value: null }),
    };
    const [empty] = partition.begin([101n], { origin: tombstone, key: 'k', partition: -1 });
    const terminal = { status: 'dead-lettered', reason: 'validation' } as const;
    await finish([endingOf(binary!, { terminal }), endingOf(empty!, { terminal })]);
    const { rows } = await db.pool.query('SELECT * FROM dead_letter ORDER BY id');
    const position = { source: partition.source, source_partition: 3 };
    expect(rows).toEqual([
      expect.objectContaining({
        ...position,
        record_id: 'orders:3:100',
        source_offset: '100',
        key: null,
        key_bytes: key,
        payload: original.value,
        headers: Buffer.from('{"a":"b"}'),
        accepted_at: new Date(RECEIVED_AT_MS),
      }),
      expect.objectContaining({
        ...position,
        source_offset: '101',
        key: 'k',
        key_bytes: null,
        payload: null,
        partition: -1,
      }),
    ]);
  });

  it('write output rows exactly once under redelivery', async () => {
    const records = partition.begin(range(100n, 102n), { key: 'k', partition: 2 });
    await finish(records.slice(0, 2).map((record) => deliveredEnding(record)));
    // Killed before the source wrote its watermark; the next owner is sent all of them again.
    const other = otherConsumer(test);
    const next = await KafkaPartition.take(other.kafkaBooks, 'orders', 3);
    await other.acknowledgments.finish(records.map((record) => deliveredEnding(record, '"again"')));
    next.begin([102n]);
    next.done(102n);
    await next.write();
    const { rows } = await db.pool.query('SELECT * FROM delivered ORDER BY record_id');
    const row = { key: 'k', partition: 2, headers: null, accepted_at: new Date(RECEIVED_AT_MS) };
    expect(rows).toEqual([
      expect.objectContaining({ ...row, record_id: 'orders:3:100', payload: records[0]!.payload }),
      expect.objectContaining({ ...row, record_id: 'orders:3:101', payload: records[1]!.payload }),
      expect.objectContaining({ ...row, record_id: 'orders:3:102', payload: 'again' }),
    ]);
    expect(await runs()).toEqual([`${partition.source}:3 100-102 3`]);
    await expect(conservation.read()).resolves.toMatchObject({ acknowledged: 3, balanced: true });
  });

  it('keep nothing of a consumer that has lost the partition (PE2)', async () => {
    const records = partition.begin(range(100n, 103n));
    const mine = await KafkaPartition.take(test.kafkaBooks, 'orders', 4);
    const kept = mine.begin([0n]);
    await KafkaPartition.take(otherConsumer(test).kafkaBooks, 'orders', 3);
    await expect(
      finish([
        endingOf(records[0]!),
        endingOf(records[1]!, { attempts: 2 }),
        endingOf(records[2]!, { terminal: DEAD }),
        deliveredEnding(records[3]!),
        deliveredEnding(kept[0]!),
      ]),
    ).resolves.toEqual([]);
    partition.done(...range(100n, 103n));
    expect(await partition.write()).toBe(false);
    expect(await delivered()).toEqual(['orders:4:0']);
    const { rows } = await db.pool.query(
      `SELECT (SELECT count(*)::int FROM acknowledgment_position) AS positions, (SELECT count(*)::int FROM dead_letter) AS dead`,
    );
    expect(rows).toEqual([{ positions: 0, dead: 0 }]);
    expect(test.deadLetters.count).toBe(0);
    await expect(conservation.read()).resolves.toMatchObject({ accepted: 1, balanced: true });
    await expect(lookup.find('orders:3:100')).resolves.toMatchObject({ status: 'not-seen' });
  });

  it('enter each end once: the first one counts', async () => {
    const [record] = partition.begin([100n]);
    await finish([deliveredEnding(record!), endingOf(record!, { terminal: DEAD })]);
    await finish([endingOf(record!, { terminal: DEAD })]);
    partition.done(100n);
    await partition.write();
    await finish([endingOf(record!, { terminal: DISCARDED })]);
    await expect(lookup.find(record!.id)).resolves.toMatchObject({ status: 'acknowledged' });
    await expect(kafka()).resolves.toEqual({ ...NOTHING, accepted: 1, acknowledged: 1 });
  });

  it('answer a statement that is run twice as if it had been once', async () => {
    const { acknowledge } = test.ledger.sessions;
    const query = jest.spyOn(acknowledge, 'query');
    const records = partition.begin(range(100n, 102n));
    await finish([
      endingOf(records[0]!),
      endingOf(records[1]!, { attempts: 2 }),
      endingOf(records[2]!, { terminal: DEAD }),
    ]);
    const sent = query.mock.calls.find(([{ name }]) => name?.startsWith('ledger-kafka-end'));
    const { rows } = await acknowledge.query(sent![0], sent![1]);
    // Kept, and no letter to write.
    expect(rows).toEqual([[partition.source, 3, null]]);
    await expect(kafka()).resolves.toEqual({
      accepted: 3,
      acknowledged: 2,
      deadLettered: 1,
      discarded: 0,
    });
    const { rowCount } = await db.pool.query('SELECT FROM acknowledgment_position');
    expect(rowCount).toBe(1);
  });

  it('name the endings whose output row is refused, and end the others', async () => {
    const records = partition.begin(range(100n, 119n));
    const refused = await finish(
      records.map((record, index) =>
        index === 7 ? deliveredEnding(record, '{') : deliveredEnding(record),
      ),
    );
    expect(refused.map(({ ending, sqlState }) => [ending.record.id, sqlState])).toEqual([
      ['orders:3:107', '22P02'],
    ]);
    expect(await delivered()).toHaveLength(19);
    await expect(lookup.find('orders:3:107')).resolves.toMatchObject({ status: 'not-seen' });
    await finish([endingOf(records[7]!, { terminal: DEAD })]);
    await expect(kafka()).resolves.toMatchObject({
      accepted: 20,
      acknowledged: 19,
      deadLettered: 1,
    });
  });

  it('enter ends of REST and Kafka records in one batch, each in its own place', async () => {
    const rest = [makeRecord(), makeRecord()];
    await test.journal.append(rest);
    const records = partition.begin(range(100n, 101n));
    const blocker = test.acknowledgments.finish([endingOf(rest[0]!)]);
    await Promise.all([
      blocker,
      finish([deliveredEnding(rest[1]!), deliveredEnding(records[0]!)]),
      finish([endingOf(records[1]!, { terminal: DEAD })]),
    ]);
    expect(await delivered()).toEqual([rest[1]!.id, 'orders:3:100'].toSorted());
    await expect(conservation.read()).resolves.toMatchObject({
      acknowledged: 3,
      deadLettered: 1,
      inFlight: 0,
      balanced: true,
    });
  });

  it('answer where a position is, case by case', async () => {
    await KafkaPartition.take(test.kafkaBooks, 'orders', 0);
    const records = partition.begin(range(100n, 109n));
    await finish(records.slice(0, 5).map((record) => endingOf(record)));
    partition.done(...range(100n, 104n));
    await partition.write();
    await finish([endingOf(records[7]!)]);
    await db.pool.query('DELETE FROM acknowledgment_range');
    await finish(records.slice(5, 7).map((record) => endingOf(record)));
    partition.done(105n, 106n, 107n);
    await partition.write();
    const statusOf = async (id: string): Promise<string | undefined> =>
      (await lookup.find(id))?.status;
    await expect(statusOf('orders:3:106')).resolves.toBe('acknowledged');
    await expect(lookup.find('orders:3:108')).resolves.toEqual({
      id: 'orders:3:108',
      status: 'not-seen',
      topic: 'orders',
      partition: 3,
      low: 108n,
    });
    await expect(lookup.find('orders:3:104')).resolves.toMatchObject({
      status: 'expired',
      low: 108n,
    });
    await expect(statusOf('orders:3:99')).resolves.toBeUndefined();
    await expect(statusOf('orders:0:0')).resolves.toBe('not-seen');
    await expect(statusOf('orders:9:0')).resolves.toBeUndefined();
    await expect(statusOf('orders@2:3:106')).resolves.toBeUndefined();
    await expect(statusOf('other:3:106')).resolves.toBeUndefined();
  });

  it('never take records of a topic that was made again for old ones', async () => {
    const old = partition.begin(range(100n, 101n));
    await finish([deliveredEnding(old[0]!)]);
    await test.kafkaBooks.nextIncarnation('orders', 1);
    const again = await KafkaPartition.take(test.kafkaBooks, 'orders', 3, 100n);
    const records = again.begin(range(100n, 101n));
    // An end of the old topic may come late.
    await finish([deliveredEnding(records[0]!), deliveredEnding(old[1]!)]);
    await finish([endingOf(records[1]!, { attempts: 2 })]);
    expect(await delivered()).toEqual(['orders:3:100', 'orders:3:101', 'orders@2:3:100']);
    again.done(100n, 101n);
    await again.write();
    expect(await runs()).toEqual([`${again.source}:3 100-101 2`]);
    await expect(lookup.find('orders@2:3:101')).resolves.toMatchObject({
      status: 'acknowledged',
      acknowledgments: [{ attempts: 2 }],
    });
    await expect(conservation.read()).resolves.toMatchObject({ accepted: 4, balanced: true });
  });

  it('do not balance when a watermark passes a record that has no end', async () => {
    const records = partition.begin(range(100n, 102n));
    await finish([endingOf(records[0]!), endingOf(records[2]!)]);
    await expect(conservation.read()).resolves.toMatchObject({ accepted: 2, balanced: true });
    partition.done(100n, 101n, 102n);
    await partition.write();
    await expect(conservation.read()).resolves.toMatchObject({ accepted: 3, balanced: false });
  });

  describe('and a connection that is lost', () => {
    let blocker: PoolClient;
    let pid: number;

    beforeEach(async () => {
      pid = backendOf(test.ledger, 'acknowledge');
      blocker = await db.pool.connect();
      await blocker.query('BEGIN');
    });
    afterEach(() => blocker.release(true));

    const untilBlocked = (): Promise<unknown> =>
      until(
        async () =>
          (await db.pool.query('SELECT FROM unnest(pg_blocking_pids($1))', [pid])).rowCount! > 0,
        { what: 'the statement to wait' },
      );
    const endings = (): ReturnType<typeof endingOf>[] => {
      const records = partition.begin(range(100n, 103n));
      records[2]!.failures = [FAILURE];
      return [
        deliveredEnding(records[0]!),
        endingOf(records[1]!, { attempts: 2 }),
        endingOf(records[2]!, { terminal: DEAD }),
        endingOf(records[3]!, { terminal: DISCARDED }),
      ];
    };
    const expectOnce = async (): Promise<void> => {
      partition.done(...range(100n, 103n));
      expect(await partition.write()).toBe(true);
      expect(await delivered()).toEqual(['orders:3:100']);
      const { rows } = await db.pool.query('SELECT attempts FROM dead_letter');
      expect(rows).toEqual([{ attempts: [FAILURE] }]);
      expect(test.deadLetters.count).toBe(1);
      expect(await runs()).toEqual([`${partition.source}:3 100-103 4`]);
      await expect(conservation.read()).resolves.toMatchObject({
        accepted: 4,
        acknowledged: 2,
        deadLettered: 1,
        discarded: 1,
        balanced: true,
      });
    };

    it('enter the ends once when the lost statement commits late', async () => {
      await blocker.query('LOCK TABLE acknowledgment_position IN SHARE MODE');
      const finished = finish([endings()[1]!]);
      await untilBlocked();
      // The socket is cut; the back end goes on and commits as soon as the lock is free.
      test.ledger.sessions.acknowledge.destroy();
      // The source writes meanwhile: before the repeated end, and behind what is in doubt.
      const written = partition.write();
      await blocker.query('COMMIT');
      await expect(finished).resolves.toEqual([]);
      await expect(written).resolves.toBe(true);
      await expect(kafka()).resolves.toEqual({ ...NOTHING, accepted: 1, acknowledged: 1 });
      const { rows } = await db.pool.query('SELECT offset_ FROM acknowledgment_position');
      expect(rows).toEqual([{ offset_: '101' }]);
    });

    it('enter nothing of a transaction that was cut, and all of it by the repetition', async () => {
      await blocker.query('LOCK TABLE dead_letter IN SHARE MODE');
      const finished = finish(endings());
      await untilBlocked();
      expect(await delivered()).toEqual([]);
      await db.pool.query('SELECT pg_terminate_backend($1)', [pid]);
      await blocker.query('COMMIT');
      await expect(finished).resolves.toEqual([]);
      await expectOnce();
    });

    it('append a run once when the lost write commits late', async () => {
      await finish(endings());
      partition.done(...range(100n, 103n));
      await blocker.query('LOCK TABLE acknowledgment_range IN SHARE MODE');
      const written = partition.write();
      await untilBlocked();
      test.ledger.sessions.acknowledge.destroy();
      await blocker.query('COMMIT');
      await expect(written).resolves.toBe(true);
      await expectOnce();
    });

    it('let no end take low back that a lost write has moved', async () => {
      const records = partition.begin(range(100n, 101n));
      await finish([endingOf(records[0]!)]);
      partition.done(100n);
      await blocker.query('LOCK TABLE acknowledgment_range IN SHARE MODE');
      const written = partition.write();
      await untilBlocked();
      test.ledger.sessions.acknowledge.destroy();
      // Goes first when the books open again.
      const finished = finish([endingOf(records[1]!)]);
      await blocker.query('COMMIT');
      await Promise.all([finished, written]);
      partition.done(101n);
      await partition.write();
      expect(await runs()).toEqual([
        `${partition.source}:3 100-100 1`,
        `${partition.source}:3 101-101 1`,
      ]);
      await expect(conservation.read()).resolves.toMatchObject({ accepted: 2, balanced: true });
    });

    it('let the source keep its partitions, also over a second loss', async () => {
      await blocker.query('COMMIT');
      for (const offset of [100n, 101n]) {
        const [record] = partition.begin([offset]);
        pid = backendOf(test.ledger, 'acknowledge');
        await blocker.query('BEGIN');
        await blocker.query('LOCK TABLE total IN SHARE MODE');
        const finished = finish([endingOf(record!)]);
        await untilBlocked();
        test.ledger.sessions.acknowledge.destroy();
        await blocker.query('COMMIT');
        await finished;
        partition.done(offset);
        expect(await partition.write()).toBe(true);
      }
      await expect(conservation.read()).resolves.toMatchObject({ accepted: 2, balanced: true });
    });
  });

  it('counts what has ended without them as acknowledged, and once', async () => {
    const [first, second] = partition.begin([100n, 103n]);
    await finish([endingOf(first!), endingOf(second!, { terminal: DEAD })]);
    const { mark, source, row } = partition;
    const entry = { ...row, source, low: 110n, doneAbove: Buffer.alloc(0), records: 0n };
    await test.kafkaBooks.follow([entry]);
    await test.kafkaBooks.follow([entry]);
    expect(mark.low).toBe(100n);
    await expect(conservation.read()).resolves.toMatchObject({
      balanced: true,
      sources: { kafka: { accepted: 10, acknowledged: 9, deadLettered: 1 } },
    });
    expect(await runs()).toEqual([expect.stringContaining('100-109 10')]);
  });
});
