import { Logger } from '@nestjs/common';
import type { Ending } from '../../src/ledger/acknowledgments.port.js';
import { Conservation } from '../../src/ledger/conservation.js';
import type { KafkaOrigin } from '../../src/ledger/kafka-position.js';
import { PostgresRecordLookup } from '../../src/ledger/record-lookup.js';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import type { FailedAttempt, PipelineRecord } from '../../src/pipeline/record.js';
import { KafkaPartition } from '../support/kafka-partition.js';
import {
  deliveredEnding,
  endingOf,
  makeRecord,
  otherConsumer,
  startLedger,
  type TestLedger,
} from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

Logger.overrideLogger(false);

const DEAD = { status: 'dead-lettered', reason: 'rejected' } as const;
const DISCARDED = { status: 'discarded', reason: 'no-dead-letters' } as const;

const failureAt = (destination: string): FailedAttempt => ({
  atMs: 1_767_225_600_000,
  stage: 'FinalSink',
  destination,
  error: `refused by ${destination}`,
});

/** What a sink that gave up leaves: the record as that sink has seen it. */
const deadAt = (record: PipelineRecord, destination: string, more: Partial<Ending> = {}): Ending =>
  endingOf(
    { ...record, failures: [failureAt(destination)] },
    { destination, terminal: DEAD, ...more },
  );

describe('the books of records with several destinations', () => {
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

  const finish = async (...endings: readonly Ending[]): Promise<void> =>
    expect(await test.acknowledgments.finish(endings)).toEqual([]);
  const accepted = async (): Promise<PipelineRecord> => {
    const record = makeRecord({ key: 'k' });
    await test.journal.append([record]);
    return record;
  };
  const count = async (table: string): Promise<number> =>
    (await db.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]!.n;
  const letters = async (): Promise<object[]> =>
    (
      await db.pool.query<object>(
        `SELECT record_id, destination, reason, attempts->0->>'error' AS error, encode(payload, 'escape') AS payload
         FROM dead_letter ORDER BY destination`,
      )
    ).rows;

  describe('from REST', () => {
    it('list each destination as it acknowledges, and count the record once, at its end', async () => {
      const record = await accepted();
      const kafka = endingOf(record, { step: 'part', destination: 'kafka', externalId: 'out:0:1' });
      await finish(kafka);
      await expect(lookup.find(record.id)).resolves.toMatchObject({
        status: 'accepted',
        acknowledgments: [{ destination: 'kafka', externalId: 'out:0:1' }],
      });
      await expect(conservation.read()).resolves.toMatchObject({ acknowledged: 0, inFlight: 1 });
      const postgres: Ending = { ...deliveredEnding(record), step: 'part' };
      await finish(postgres, endingOf(record, { step: 'last', others: [kafka] }));
      const found = await lookup.find(record.id);
      expect(found).toMatchObject({ status: 'acknowledged' });
      expect(found).toMatchObject({
        acknowledgments: expect.arrayContaining([
          expect.objectContaining({ destination: 'kafka' }),
          expect.objectContaining({ destination: 'postgres' }),
        ]),
      });
      expect(await count('acknowledgment')).toBe(2);
      await expect(conservation.read()).resolves.toMatchObject({
        accepted: 1,
        acknowledged: 1,
        balanced: true,
      });
    });

    it('end with a letter for each destination that failed, with its own attempts, as one dead record', async () => {
      const record = await accepted();
      await finish(endingOf(record, { step: 'part', destination: 'postgres' }));
      const kafka = deadAt(record, 'kafka');
      await finish(deadAt(record, 'callback', { step: 'last', others: [kafka] }));
      expect(await letters()).toEqual(
        ['callback', 'kafka'].map((destination) => ({
          record_id: record.id,
          destination,
          reason: 'rejected',
          error: `refused by ${destination}`,
          payload: record.body!.toString(),
        })),
      );
      await expect(lookup.find(record.id)).resolves.toMatchObject({
        status: 'dead-lettered',
        acknowledgments: [{ destination: 'postgres' }],
        failures: [{ destination: 'callback' }, { destination: 'kafka' }],
        deadLetters: [
          { destination: 'callback', reason: 'rejected' },
          { destination: 'kafka', reason: 'rejected' },
        ],
      });
      expect(test.deadLetters.count).toBe(2);
      await expect(conservation.read()).resolves.toMatchObject({ deadLettered: 1, balanced: true });
    });

    it('are discarded, whoever has acknowledged them, where dead letters are not kept', async () => {
      const record = await accepted();
      await finish(endingOf(record, { step: 'part', destination: 'postgres' }));
      await finish(endingOf(record, { step: 'last', destination: 'kafka', terminal: DISCARDED }));
      await expect(lookup.find(record.id)).resolves.toMatchObject({
        status: 'discarded',
        reason: 'no-dead-letters',
        acknowledgments: [{ destination: 'postgres' }],
      });
      await expect(conservation.read()).resolves.toMatchObject({ discarded: 1, balanced: true });
    });

    it('take an acknowledgment that comes after the end, of a sink that is not required', async () => {
      const record = await accepted();
      await finish(endingOf(record, { step: 'last' }));
      await finish(endingOf(record, { step: 'part', destination: 'kafka' }));
      await expect(lookup.find(record.id)).resolves.toMatchObject({
        status: 'acknowledged',
        acknowledgments: [{ destination: 'postgres' }, { destination: 'kafka' }],
      });
      await expect(conservation.read()).resolves.toMatchObject({ acknowledged: 1, balanced: true });
    });

    it('write no output row for a process that has lost its leases (L6)', async () => {
      const record = await accepted();
      await db.pool.query(`UPDATE partition_lease SET token = nextval('lease_token')`);
      await finish({ ...deliveredEnding(record), step: 'part' });
      expect(await count('delivered')).toBe(0);
      expect(await count('acknowledgment')).toBe(0);
    });
  });

  describe('from Kafka', () => {
    const original = { key: Buffer.from('k'), value: Buffer.from('{"as":"it came"}') };
    const origin: KafkaOrigin = {
      settled: () => undefined,
      // As SliceOrigin: a copy of a record is not the record.
      original: (record) => (known.has(record) ? original : { key: null, value: null }),
    };
    const known = new Set<PipelineRecord>();
    let partition: KafkaPartition;

    beforeEach(async () => {
      partition = await KafkaPartition.take(test.kafkaBooks, 'orders', 3, 100n);
    });
    const begin = (...offsets: readonly bigint[]): PipelineRecord[] => {
      const records = partition.begin(offsets, { origin });
      for (const record of records) known.add(record);
      return records;
    };

    it('have their output row before their end, and no bit: the broker brings them again (PE1)', async () => {
      const [record] = begin(100n);
      const part: Ending = { ...deliveredEnding(record!), step: 'part' };
      await finish(part, endingOf(record!, { step: 'part', destination: 'kafka' }));
      expect(await count('delivered')).toBe(1);
      expect(await count('acknowledgment_position')).toBe(0);
      await expect(conservation.read()).resolves.toMatchObject({ accepted: 0, balanced: true });
      const again = otherConsumer(test);
      const taken = await KafkaPartition.take(again.kafkaBooks, 'orders', 3);
      expect(taken.row).toMatchObject({ low: 100n, doneAbove: Buffer.alloc(0) });
      const [repeated] = taken.begin([100n], { origin });
      await again.acknowledgments.finish([{ ...deliveredEnding(repeated!), step: 'part' }]);
      await again.acknowledgments.finish([endingOf(repeated!, { step: 'last', others: [] })]);
      expect(await count('delivered')).toBe(1);
      await expect(conservation.read()).resolves.toMatchObject({ acknowledged: 1, balanced: true });
    });

    it('write no output row for a consumer that has lost the partition (PE2)', async () => {
      const [record] = begin(100n);
      await KafkaPartition.take(otherConsumer(test).kafkaBooks, 'orders', 3);
      await finish({ ...deliveredEnding(record!), step: 'part' });
      expect(await count('delivered')).toBe(0);
    });

    it('are a bit when all acknowledged at once, a row for each destination when one took longer', async () => {
      const [plain, retried] = begin(100n, 101n);
      const part = (record: PipelineRecord): Ending =>
        endingOf(record, { step: 'part', destination: 'kafka' });
      await finish(
        endingOf(plain!, { step: 'last', others: [part(plain!)] }),
        endingOf(retried!, { step: 'last', attempts: 3, others: [part(retried!)] }),
      );
      expect(await count('acknowledgment_position')).toBe(2);
      await expect(lookup.find(retried!.id)).resolves.toMatchObject({
        status: 'acknowledged',
        acknowledgments: expect.arrayContaining([
          expect.objectContaining({ destination: 'postgres', attempts: 3 }),
          expect.objectContaining({ destination: 'kafka', attempts: 1 }),
        ]),
      });
      await expect(conservation.read()).resolves.toMatchObject({ acknowledged: 2, balanced: true });
    });

    it('count once with a letter for each destination that failed, which keeps what they came with', async () => {
      const [record] = begin(100n);
      const others = [
        endingOf({ ...record! }, { step: 'part', destination: 'postgres' }),
        deadAt(record!, 'kafka'),
      ];
      await finish({
        ...deadAt(record!, 'callback', { step: 'last', others }),
        record: record!,
      });
      expect(await letters()).toMatchObject([
        { destination: 'callback', payload: original.value.toString() },
        { destination: 'kafka', error: 'refused by kafka', payload: original.value.toString() },
      ]);
      await expect(lookup.find(record!.id)).resolves.toMatchObject({
        status: 'dead-lettered',
        acknowledgments: [{ destination: 'postgres' }],
      });
      await expect(conservation.read()).resolves.toMatchObject({
        accepted: 1,
        deadLettered: 1,
        balanced: true,
      });
    });
  });
});
