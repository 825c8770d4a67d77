import fc from 'fast-check';
import { Logger } from '@nestjs/common';
import { PostgresRecordLookup } from '../../src/ledger/record-lookup.js';
import { RunMerge } from '../../src/ledger/run-merge.js';
import { Conservation } from '../../src/ledger/conservation.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import { FakeClock } from '../support/fake-clock.js';
import { KafkaPartition } from '../support/kafka-partition.js';
import { endingOf, otherConsumer, startLedger, type TestLedger } from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

Logger.overrideLogger(false);

type Step =
  | { readonly kind: 'begin'; readonly gap: number; readonly count: number }
  | { readonly kind: 'end'; readonly picks: readonly { at: number; attempts: number }[] }
  | { readonly kind: 'write' | 'merge' | 'age' | 'reassign' };

const plain = (kind: 'write' | 'merge' | 'age' | 'reassign', weight: number) => ({
  weight,
  arbitrary: fc.constant<Step>({ kind }),
});
const step = fc.oneof<fc.WeightedArbitrary<Step>[]>(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('begin' as const),
      gap: fc.nat(2),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      picks: fc.array(fc.record({ at: fc.nat(), attempts: fc.constantFrom(1, 1, 1, 2) }), {
        minLength: 1,
        maxLength: 5,
      }),
    }),
  },
  plain('write', 4),
  plain('merge', 2),
  plain('age', 1),
  plain('reassign', 1),
);

describe('runs of Kafka offsets', () => {
  let db: TestDatabase;
  let test: TestLedger;
  let lookup: PostgresRecordLookup;
  let topics = 0;

  beforeAll(async () => {
    db = await createTestDatabase();
    test = await startLedger(db.url);
    lookup = new PostgresRecordLookup(await db.dataSource());
  });
  afterAll(async () => {
    await test.ledger.stop();
    await db.drop();
  });

  const mergeOnce = async (): Promise<void> =>
    new RunMerge({
      database: await db.dataSource(),
      clock: new FakeClock(),
      marks: test.ledger.kafkaMarks,
    }).merge();
  /** As if the runs so far were an hour older. */
  const age = (source: number): Promise<unknown> =>
    db.pool.query(
      `UPDATE acknowledgment_range SET acknowledged_at = acknowledged_at - interval '1 hour' WHERE source = $1`,
      [source],
    );
  const overlaps = async (): Promise<number> =>
    (
      await db.pool.query(
        `SELECT FROM acknowledgment_range a JOIN acknowledgment_range b USING (source, partition)
         WHERE a.first_offset < b.first_offset AND a.last_offset >= b.first_offset`,
      )
    ).rowCount ?? 0;

  it('never overlap, and merging changes no answer (L8)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        topics += 1;
        const topic = `orders-${topics}`;
        let partition = await KafkaPartition.take(test.kafkaBooks, topic);
        const start = partition;
        const ended = new Map<bigint, number>();
        let flying: PipelineRecord[] = [];
        const offsetOf = ({ id }: PipelineRecord): bigint => BigInt(id.split(':')[2]!);
        const end = async (picks: readonly { at: number; attempts: number }[]): Promise<void> => {
          const endings = picks.flatMap(({ at, attempts }) => {
            if (flying.length === 0) return [];
            const [record] = flying.splice(at % flying.length, 1) as [PipelineRecord];
            return [endingOf(record, { attempts })];
          });
          await test.acknowledgments.finish(endings);
          for (const { record, attempts } of endings) ended.set(offsetOf(record), attempts);
          partition.done(...endings.map(({ record }) => offsetOf(record)));
        };
        for (const given of steps) {
          if (given.kind === 'begin') {
            const first = partition.mark.next + BigInt(given.gap);
            const offsets = Array.from({ length: given.count }, (_, i) => first + BigInt(i));
            const fresh = offsets.filter(
              (offset) => !partition.mark.isDuplicate(partition.mark.relative(offset)),
            );
            if (fresh.length > 0) flying.push(...partition.begin(fresh));
          } else if (given.kind === 'end') await end(given.picks);
          else if (given.kind === 'write') await partition.write();
          else if (given.kind === 'merge') await mergeOnce();
          else if (given.kind === 'age') await age(partition.source);
          else {
            // What is in flight is sent again to the next assignment, from `low` on.
            partition = await KafkaPartition.take(test.kafkaBooks, topic);
            const again = flying
              .map(offsetOf)
              .filter((offset) => !ended.has(offset))
              .toSorted((a, b) => Number(a - b));
            flying = again.length > 0 ? partition.begin(again) : [];
          }
        }
        await end(flying.map(() => ({ at: 0, attempts: 1 })));
        // After a new assignment the source learns of a gap again when it has fetched what is behind.
        for (const offset of ended.keys()) {
          partition.mark.pass(partition.mark.relative(offset + 1n));
        }
        await partition.write();
        const answers = async (): Promise<(number | string)[]> => {
          const found: (number | string)[] = [];
          for (const offset of ended.keys()) {
            const status = await lookup.find(start.id(offset));
            const isEnd = status !== undefined && 'acknowledgments' in status;
            found.push(
              isEnd ? (status.acknowledgments[0]?.attempts ?? 1) : (status?.status ?? 'unknown'),
            );
          }
          return found;
        };
        expect(await answers()).toEqual([...ended.values()]);
        await mergeOnce();
        expect(await answers()).toEqual([...ended.values()]);
        const { rows } = await db.pool.query(
          `SELECT coalesce(sum(record_count), 0)::int AS records FROM acknowledgment_range WHERE source = $1`,
          [start.source],
        );
        expect(rows).toEqual([{ records: ended.size }]);
        expect(await overlaps()).toBe(0);
      }),
      { numRuns: 25 },
    );
    const conservation = new Conservation(await db.dataSource());
    await expect(conservation.read()).resolves.toMatchObject({ balanced: true });
  });

  it('become one row an hour, whose time is that of the newest', async () => {
    const partition = await KafkaPartition.take(test.kafkaBooks, 'merged');
    const write = async (...offsets: readonly bigint[]): Promise<void> => {
      for (const offset of offsets) {
        const [record] = partition.begin([offset]);
        await test.acknowledgments.finish([endingOf(record!)]);
        partition.done(offset);
        await partition.write();
      }
    };
    const runs = async () =>
      (
        await db.pool.query<{ first: string; last: string; n: string; at: Date }>(
          `SELECT first_offset AS first, last_offset AS last, record_count AS n, acknowledged_at AS at
           FROM acknowledgment_range WHERE source = $1 ORDER BY first_offset`,
          [partition.source],
        )
      ).rows;
    await write(0n, 1n, 5n);
    await age(partition.source);
    await age(partition.source);
    const early = await runs();
    await write(6n, 7n);
    const late = (await runs()).slice(3);
    await mergeOnce();
    await mergeOnce();
    expect(await runs()).toEqual([
      { first: '0', last: '5', n: '3', at: early[2]!.at },
      { first: '6', last: '7', n: '2', at: late[1]!.at },
    ]);
  });

  it('are merged by the consumer of their partition only, once a minute', async () => {
    const clock = new FakeClock();
    const other = otherConsumer(test);
    const mine = await KafkaPartition.take(test.kafkaBooks, 'shared', 0);
    const theirs = await KafkaPartition.take(other.kafkaBooks, 'shared', 1);
    for (const [partition, { acknowledgments }] of [
      [mine, test],
      [theirs, other],
    ] as const) {
      for (const offset of [0n, 1n, 2n]) {
        const [record] = partition.begin([offset]);
        await acknowledgments.finish([endingOf(record!)]);
        partition.done(offset);
        await partition.write();
      }
    }
    const counts = async (): Promise<number[]> => {
      const { rows } = await db.pool.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM acknowledgment_range WHERE source = $1 GROUP BY partition ORDER BY partition`,
        [mine.source],
      );
      return rows.map(({ n }) => n);
    };
    const merge = new RunMerge({
      database: await db.dataSource(),
      clock,
      marks: test.ledger.kafkaMarks,
    });
    merge.start();
    merge.start();
    clock.advance(59_999);
    expect(await counts()).toEqual([3, 3]);
    clock.advance(1);
    await until(async () => (await counts())[0] === 1, { what: 'the merge' });
    expect(await counts()).toEqual([1, 3]);
    await merge.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('stay as they are while the database does not answer, and are merged later', async () => {
    const clock = new FakeClock();
    let queries = 0;
    const source = await db.dataSource();
    const merge = new RunMerge({
      database: {
        query: async <Rows>(text: string, values?: unknown[]): Promise<Rows> => {
          queries += 1;
          if (queries === 1) throw new Error('away');
          return source.query(text, values);
        },
      },
      clock,
      marks: test.ledger.kafkaMarks,
    });
    merge.start();
    clock.advance(60_000);
    await until(() => clock.pendingTimers === 1 && queries === 1, { what: 'the next round' });
    clock.advance(60_000);
    await until(() => queries > 1, { what: 'the second look' });
    await expect(merge.stop()).resolves.toBeUndefined();
  });
});
