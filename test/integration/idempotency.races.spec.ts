import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { SystemClock } from '../../libs/flow-control/src/index.js';
import { connectionConfig } from '../../src/database/connection-config.js';
import {
  byteaArray,
  int2Array,
  int8Array,
  textArray,
  uuidArray,
} from '../../src/ledger/binary-array.js';
import { OutcomeUnknownError } from '../../src/ledger/errors/outcome-unknown.error.js';
import { keyColumns } from '../../src/ledger/keyed-flush.js';
import { LedgerSessions } from '../../src/ledger/ledger-sessions.js';
import type { Ledger } from '../../src/ledger/ledger.js';
import { PostgresJournal } from '../../src/ledger/postgres-journal.js';
import { KEYED_FLUSH, TRIM_KEYS } from '../../src/ledger/statements/idempotency.statements.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import { backendOf, makeRecord, startLedger, type TestLedger } from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

Logger.overrideLogger(false);

const clock = new SystemClock();
const FINGERPRINT = createHash('sha256').update('the same').digest();
const keyed = (key: string): PipelineRecord =>
  makeRecord({ partition: 0, idempotencyKey: { key, fingerprint: FINGERPRINT } });

/** The same values in another order, by a seed. */
function shuffled<T>(values: readonly T[], seed: number): T[] {
  const order = (value: T): string =>
    createHash('sha256')
      .update(`${seed} ${String(value)}`)
      .digest('hex');
  return values.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
}

describe('one idempotency key, one record (L7)', () => {
  let db: TestDatabase;
  let test: TestLedger;
  const clients: PoolClient[] = [];
  const sessions: LedgerSessions[] = [];

  beforeEach(async () => {
    db = await createTestDatabase();
    test = await startLedger(db.url);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.release(true);
    for (const each of sessions.splice(0)) await each.close();
    await test.ledger.stop();
    await db.drop();
  });

  const connect = async (): Promise<PoolClient> => {
    const client = await db.pool.connect();
    clients.push(client);
    return client;
  };
  /** Another writer of the same journal, on connections of its own. */
  const otherJournal = async (): Promise<PostgresJournal> => {
    const own = new LedgerSessions(
      (applicationName) => connectionConfig({ url: db.url, ssl: false, applicationName }),
      () => undefined,
    );
    sessions.push(own);
    await own.open();
    const instanceId = { value: `replica-${sessions.length + 1}` };
    const other: Ledger = Object.create(test.ledger, { sessions: { value: own }, instanceId });
    return new PostgresJournal(other, clock);
  };
  const values = (records: readonly PipelineRecord[], instance: string): unknown[] => [
    uuidArray(records.map(({ id }) => id)),
    int2Array(records.map(({ partition }) => partition)),
    int2Array(records.map(() => 0)),
    textArray(records.map(({ tenant }) => tenant)),
    textArray(records.map(() => null)),
    byteaArray(records.map(() => null)),
    byteaArray(records.map(({ body }) => body ?? null)),
    int8Array([]),
    '0',
    instance,
    null,
    ...keyColumns(records.map((record) => ({ record }))),
    '24 hours',
  ];
  /** As a replica of its own would: none counts on the row of another one. */
  const flush = (client: PoolClient, records: readonly PipelineRecord[]): Promise<unknown> =>
    client.query(KEYED_FLUSH.text, values(records, `foreign ${clients.indexOf(client)}`));
  const isBlocked = async (pid: number): Promise<boolean> =>
    (await db.pool.query('SELECT FROM unnest(pg_blocking_pids($1))', [pid])).rowCount! > 0;
  const flushBackend = (): number => backendOf(test.ledger, 'flush');
  const untilBlocked = (): Promise<unknown> =>
    until(() => isBlocked(flushBackend()), { what: 'the flush to wait' });
  const journalIds = async (): Promise<string[]> =>
    (
      await db.pool.query<{ id: string }>('SELECT record_id AS id FROM journal ORDER BY seq')
    ).rows.map(({ id }) => id);

  it('of 100 records with one key that come at once to two journals, one is kept', async () => {
    const journals = [test.journal, await otherJournal()];
    // A journal must not get a key twice at a time, so each has its own line.
    const lines = journals.map(async (journal) => {
      const ids: string[] = [];
      for (let i = 0; i < 50; i += 1) {
        const record = keyed('the key');
        const [replay] = await journal.append([record]);
        ids.push(replay === undefined ? record.id : replay.earlierId);
      }
      return ids;
    });
    const ids = (await Promise.all(lines)).flat();
    expect(ids).toHaveLength(100);
    expect(await journalIds()).toEqual([...new Set(ids)]);
    expect(new Set(ids).size).toBe(1);
  });

  it('keeps one record a key when four journals get all keys in different orders, without a deadlock', async () => {
    const journals = [test.journal];
    while (journals.length < 4) journals.push(await otherJournal());
    const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`);
    const answers = await Promise.all(
      journals.map(async (journal, seed) => {
        const idByKey = new Map<string, string>();
        const own = shuffled(keys, seed);
        for (let from = 0; from < own.length; from += 30) {
          const records = own.slice(from, from + 30).map(keyed);
          const replays = await journal.append(records);
          for (const { id, idempotencyKey } of records) idByKey.set(idempotencyKey!.key, id);
          for (const { record, earlierId, isSame } of replays) {
            expect(isSame).toBe(true);
            idByKey.set(record.idempotencyKey!.key, earlierId);
          }
        }
        return idByKey;
      }),
    );
    for (const key of keys) expect(new Set(answers.map((ids) => ids.get(key))).size).toBe(1);
    const kept = [...answers[0]!.values()].toSorted();
    expect((await journalIds()).toSorted()).toEqual(kept);
    const { rows } = await db.pool.query(
      'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
    );
    expect(rows).toEqual([{ deadlocks: 0 }]);
  });

  it('locks keys in their order, whatever the order of the batch: one behind a held key is free', async () => {
    const [holder, passer] = [await connect(), await connect()];
    await holder.query('BEGIN');
    await flush(holder, [keyed('m')]);
    const waiting = test.journal.append([keyed('z'), keyed('m'), keyed('a')]);
    await untilBlocked();
    // With 'z' locked first, this would wait for the flush, and the flush could wait for it.
    await flush(passer, [keyed('z')]);
    await holder.query('COMMIT');
    await expect(waiting).resolves.toHaveLength(2);
  });

  it('waits for a flush that holds its key, and replays what that one commits', async () => {
    const holder = await connect();
    const first = keyed('k');
    await holder.query('BEGIN');
    await flush(holder, [first]);
    const again = test.journal.append([keyed('k')]);
    await untilBlocked();
    await holder.query('COMMIT');
    await expect(again).resolves.toMatchObject([{ earlierId: first.id, isSame: true }]);
    expect(await journalIds()).toEqual([first.id]);
  });

  it('is new when the flush that holds its key is rolled back', async () => {
    const holder = await connect();
    await holder.query('BEGIN');
    await flush(holder, [keyed('k')]);
    const record = keyed('k');
    const again = test.journal.append([record]);
    await untilBlocked();
    await holder.query('ROLLBACK');
    await expect(again).resolves.toEqual([]);
    expect(await journalIds()).toEqual([record.id]);
  });

  describe('after a commit in doubt', () => {
    const inDoubt = async (
      record: PipelineRecord,
      lose: () => Promise<unknown>,
    ): Promise<unknown> => {
      const blocker = await connect();
      await blocker.query('BEGIN');
      await blocker.query('LOCK TABLE journal IN SHARE MODE');
      const outcome = test.journal.append([record]).catch((error: unknown) => error);
      await untilBlocked();
      await lose();
      await expect(outcome).resolves.toBeInstanceOf(OutcomeUnknownError);
      return blocker.query('COMMIT');
    };
    const untilOpen = (): Promise<unknown> =>
      until(() => test.intake.closed === undefined && test.ledger.isOpen, {
        what: 'intake to open',
      });

    it('the same key finds the record that was kept', async () => {
      const record = keyed('k');
      // The back end goes on and commits as soon as the lock is free.
      await inDoubt(record, async () => test.ledger.sessions.flush.destroy());
      await until(async () => (await journalIds()).length === 1, { what: 'the late commit' });
      await untilOpen();
      const replays = await test.journal.append([keyed('k')]);
      expect(replays).toMatchObject([{ earlierId: record.id, isSame: true }]);
      expect(await journalIds()).toEqual([record.id]);
    });

    it('the same key is free when the record was not kept', async () => {
      await inDoubt(keyed('k'), () =>
        db.pool.query('SELECT pg_terminate_backend($1)', [flushBackend()]),
      );
      await untilOpen();
      const record = keyed('k');
      await expect(test.journal.append([record])).resolves.toEqual([]);
      expect(await journalIds()).toEqual([record.id]);
    });
  });

  it('deletes expired keys but those that a flush holds, and waits for none', async () => {
    const keys = ['a', 'b', 'c', 'd'];
    await test.journal.append(keys.map(keyed));
    await db.pool.query(
      `UPDATE idempotency_key SET expires_at = now() - interval '1 ms' WHERE idempotency_key < 'd'`,
    );
    const holder = await connect();
    await holder.query('BEGIN');
    const renewed = keyed('b');
    await flush(holder, [renewed]);
    const trim = async (most: number): Promise<unknown> =>
      (await db.pool.query<{ trimmed: number }>(TRIM_KEYS, [most])).rows[0]!.trimmed;
    expect(await trim(1)).toBe(1);
    expect(await trim(10)).toBe(1);
    await holder.query('COMMIT');
    expect(await trim(10)).toBe(0);
    const { rows } = await db.pool.query(
      'SELECT idempotency_key AS key, record_id AS id FROM idempotency_key ORDER BY 1',
    );
    expect(rows).toMatchObject([{ key: 'b', id: renewed.id }, { key: 'd' }]);
  });
});
