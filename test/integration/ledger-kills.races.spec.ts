import { Logger } from '@nestjs/common';
import { Conservation } from '../../src/ledger/conservation.js';
import type { Ending } from '../../src/ledger/acknowledgments.port.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import {
  deliveredEnding,
  endingOf,
  freeLot,
  makeRecord,
  silentOrigin,
  startLedger,
  type TestLedger,
} from '../support/ledger.js';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

Logger.overrideLogger(false);

const CLIENTS = 16;
const KILLS = 25;
const SESSIONS = ['flush', 'acknowledge', 'lease', 'probe'] as const;

/** A small generator, so that a failing run can be repeated. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('the ledger under a rain of killed connections', () => {
  let db: TestDatabase;
  let test: TestLedger;

  beforeEach(async () => {
    db = await createTestDatabase();
    await ensureSinkTable(db.pool, 'delivered');
    test = await startLedger(db.url);
  });
  afterEach(async () => {
    await test.ledger.stop();
    await db.drop();
  });

  it.each([1, 2, 3])(
    'loses nothing it answered for, and ends nothing twice (seed %i)',
    async (seed) => {
      const random = randomFrom(seed);
      const answered: string[] = [];
      let isOver = false;
      const endOf = (record: PipelineRecord): Ending => {
        const kind = random();
        if (kind < 0.5) return deliveredEnding(record);
        if (kind < 0.9) return endingOf(record);
        return endingOf(record, { terminal: { status: 'dead-lettered', reason: 'final' } });
      };
      const client = async (): Promise<void> => {
        while (!isOver) {
          const record = makeRecord();
          try {
            await test.journal.append([record]);
          } catch {
            // 503: its caller was told; what became of it is the oracle's business.
            await new Promise((resolve) => setImmediate(resolve));
            continue;
          }
          answered.push(record.id);
          await test.acknowledgments.finish([endOf(record)]);
        }
      };
      const clients = Array.from({ length: CLIENTS }, client);
      for (let kill = 0; kill < KILLS; kill += 1) {
        const seen = answered.length;
        await until(() => test.ledger.isOpen && answered.length > seen + 20 * random(), {
          what: 'progress between two kills',
        });
        const session = test.ledger.sessions[SESSIONS[Math.floor(random() * SESSIONS.length)]!];
        if (random() < 0.5) session.destroy();
        else await db.pool.query('SELECT pg_terminate_backend($1)', [session.pid]);
      }
      isOver = true;
      await Promise.all(clients);
      await carryOnTheBacklog();
      const ended = new Map<string, number>();
      const { rows } = await db.pool.query<{ id: string }>(
        'SELECT record_id::text AS id FROM acknowledgment UNION ALL SELECT record_id FROM dead_letter',
      );
      for (const { id } of rows) ended.set(id, (ended.get(id) ?? 0) + 1);
      expect(answered.filter((id) => ended.get(id) !== 1)).toEqual([]);
      expect([...ended.values()].every((times) => times === 1)).toBe(true);
      expect(test.journal.snapshot()).toMatchObject({ records: 0, bytes: 0, backlog: 0 });
      const report = await new Conservation(await db.dataSource()).read();
      expect(report).toMatchObject({ inFlight: 0, balanced: true, accepted: ended.size });
      const { rowCount } = await db.pool.query(
        `SELECT FROM delivered d WHERE NOT EXISTS (SELECT FROM acknowledgment a WHERE a.record_id::text = d.record_id)`,
      );
      expect(rowCount).toBe(0);
    },
  );

  /** What the callers of lost flushes were not told: kept records end like any other. */
  async function carryOnTheBacklog(): Promise<void> {
    await until(
      async () => {
        if (!test.ledger.isOpen) return false;
        const ids = test.journal.backlog().map((entry) => entry.id);
        const records = await test.journal.load(ids, freeLot(), silentOrigin);
        await test.acknowledgments.finish(records.map((record) => endingOf(record)));
        const last = makeRecord();
        await test.journal.append([last]);
        await test.acknowledgments.finish([endingOf(last)]);
        return (await db.pool.query('SELECT FROM journal')).rowCount === 0;
      },
      { what: 'an empty journal' },
    );
  }
});
