import { Logger } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { LedgerUnavailableError } from '../../src/ledger/errors/ledger-unavailable.error.js';
import { OutcomeUnknownError } from '../../src/ledger/errors/outcome-unknown.error.js';
import { LedgerStoppedError } from '../../src/ledger/errors/ledger-stopped.error.js';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import {
  backendOf,
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

describe('ledger and a database that fails', () => {
  let db: TestDatabase;
  let test: TestLedger;
  let blocker: PoolClient;

  beforeEach(async () => {
    db = await createTestDatabase();
    await ensureSinkTable(db.pool, 'delivered');
    test = await startLedger(db.url);
    blocker = await db.pool.connect();
  });
  afterEach(async () => {
    blocker.release(true);
    await test.ledger.stop();
    await db.drop();
  });

  const ids = async (table: string): Promise<string[]> =>
    (await db.pool.query<{ id: string }>(`SELECT record_id AS id FROM ${table}`)).rows.map(
      ({ id }) => id,
    );
  const untilBlocked = (pid: number): Promise<unknown> =>
    until(
      async () =>
        (await db.pool.query('SELECT FROM unnest(pg_blocking_pids($1))', [pid])).rowCount! > 0,
      { what: 'the statement to wait' },
    );
  const kill = (pid: number): Promise<unknown> =>
    db.pool.query('SELECT pg_terminate_backend($1)', [pid]);
  const untilOpen = (): Promise<unknown> =>
    until(() => test.intake.closed === undefined && test.ledger.isOpen, { what: 'intake to open' });
  it('tells callers of a killed flush that the outcome is unknown, those behind it that nothing was kept', async () => {
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE journal IN SHARE MODE');
    const [sent, waiting] = makeRecords(2) as [PipelineRecord, PipelineRecord];
    const first = test.journal.append([sent]).catch((error: unknown) => error);
    await untilBlocked(backendOf(test.ledger, 'flush'));
    const second = test.journal.append([waiting]).catch((error: unknown) => error);
    await kill(backendOf(test.ledger, 'flush'));
    await expect(first).resolves.toBeInstanceOf(OutcomeUnknownError);
    await expect(second).resolves.toBeInstanceOf(LedgerUnavailableError);
    await blocker.query('COMMIT');
    await untilOpen();
    expect(await ids('journal')).toEqual([]);
    expect(test.journal.backlog()).toEqual([]);
    await test.journal.append([waiting]);
  });

  it('carries a record on whose caller was told unknown and whose row is there', async () => {
    const record = makeRecord();
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE journal IN SHARE MODE');
    const outcome = test.journal.append([record]).catch((error: unknown) => error);
    await untilBlocked(backendOf(test.ledger, 'flush'));
    const added: string[] = [];
    test.journal.onBacklog((entries) => {
      added.push(...entries.map((entry) => entry.id));
    });
    // The socket is cut; the back end goes on and commits as soon as the lock is free.
    test.ledger.sessions.flush.destroy();
    await expect(outcome).resolves.toBeInstanceOf(OutcomeUnknownError);
    await blocker.query('COMMIT');
    await until(async () => (await ids('journal')).length === 1, { what: 'the late commit' });
    await untilOpen();
    const next = makeRecord();
    await test.journal.append([next]);
    expect(added).toEqual([record.id]);
    expect(test.journal.snapshot().records).toBe(2);
  });

  it('closes intake before it tells anybody, and lines the backlog up before it opens', async () => {
    const seen: (string | undefined)[] = [];
    const record = makeRecord();
    await test.journal.append([makeRecord()]);
    test.journal.onBacklog(() => seen.push(test.intake.closed?.reason));
    await db.pool.query(
      `INSERT INTO journal (record_id, partition, tenant, payload) VALUES ($1, 0, 't', '{}')`,
      [record.id],
    );
    await kill(backendOf(test.ledger, 'probe'));
    await until(() => seen.length === 1, { what: 'the backlog' });
    expect(seen).toEqual(['database-away']);
    await untilOpen();
    expect(test.journal.backlog().map((entry) => entry.id)).toEqual([record.id]);
  });

  it('commits journal, output row and acknowledgment together, or none (L9)', async () => {
    const record = makeRecord();
    await test.journal.append([record]);
    await blocker.query('BEGIN');
    // The same row, not committed: the statement waits for it after the delete from the journal.
    await blocker.query(
      `INSERT INTO delivered (record_id, payload, partition, accepted_at) VALUES ($1, '{}', 0, now())`,
      [record.id],
    );
    const finished = test.acknowledgments.finish([deliveredEnding(record)]);
    const pid = backendOf(test.ledger, 'acknowledge');
    await untilBlocked(pid);
    await kill(pid);
    await until(() => backendOf(test.ledger, 'acknowledge') !== pid, { what: 'a new connection' });
    expect(await ids('journal')).toEqual([record.id]);
    expect(await ids('acknowledgment')).toEqual([]);
    await blocker.query('ROLLBACK');
    await expect(finished).resolves.toEqual([]);
    expect(await ids('journal')).toEqual([]);
    expect(await ids('acknowledgment')).toEqual([record.id]);
    expect(await ids('delivered')).toEqual([record.id]);
    expect(test.journal.snapshot()).toMatchObject({ records: 0, backlog: 0 });
  });

  it('waits while the table of the sink is locked, accepts meanwhile, and goes on', async () => {
    const record = makeRecord();
    await test.journal.append([record]);
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE delivered');
    const finished = test.acknowledgments.finish([deliveredEnding(record)]);
    await untilBlocked(backendOf(test.ledger, 'acknowledge'));
    await test.journal.append([makeRecord()]);
    await blocker.query('COMMIT');
    await expect(finished).resolves.toEqual([]);
    expect(await ids('delivered')).toEqual([record.id]);
  });

  it('enters an end again whose statement was cancelled', async () => {
    const record = makeRecord();
    await test.journal.append([record]);
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE delivered');
    const finished = test.acknowledgments.finish([deliveredEnding(record)]);
    const pid = backendOf(test.ledger, 'acknowledge');
    await untilBlocked(pid);
    await db.pool.query('SELECT pg_cancel_backend($1)', [pid]);
    await blocker.query('COMMIT');
    await expect(finished).resolves.toEqual([]);
  });

  it('waits for a missing partition of the acknowledgments instead of refusing records', async () => {
    const record = makeRecord();
    await test.journal.append([record]);
    const { rows } = await db.pool.query<{ name: string; bound: string }>(
      `SELECT c.relname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound FROM pg_inherits i
       JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'acknowledgment'::regclass`,
    );
    for (const { name } of rows)
      await db.pool.query(`ALTER TABLE acknowledgment DETACH PARTITION ${name}`);
    let isDone = false;
    const finished = test.acknowledgments.finish([endingOf(record)]).finally(() => {
      isDone = true;
    });
    await until(
      async () =>
        (
          await db.pool.query(
            `SELECT FROM pg_stat_activity WHERE pid = $1 AND query LIKE '%INSERT INTO acknowledgment%' AND state = 'idle'`,
            [backendOf(test.ledger, 'acknowledge')],
          )
        ).rowCount,
      { what: 'the first try' },
    );
    expect(isDone).toBe(false);
    for (const { name, bound } of rows) {
      await db.pool.query(`ALTER TABLE acknowledgment ATTACH PARTITION ${name} ${bound}`);
    }
    await expect(finished).resolves.toEqual([]);
  });

  it('holds ends through a loss of every connection', async () => {
    const records = makeRecords(30);
    await test.journal.append(records);
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE acknowledgment IN SHARE MODE');
    const finished = Promise.all(
      records.map((record) => test.acknowledgments.finish([endingOf(record)])),
    );
    await untilBlocked(backendOf(test.ledger, 'acknowledge'));
    await db.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'penstock ledger%' AND datname = current_database()`,
    );
    await until(() => !test.ledger.isOpen, { what: 'the loss' });
    await blocker.query('COMMIT');
    expect((await finished).flat()).toEqual([]);
    expect(await ids('acknowledgment')).toHaveLength(30);
  });

  it('ends a flush that is stuck in a living server, and closes intake meanwhile', async () => {
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE journal IN SHARE MODE');
    const outcome = test.journal.append([makeRecord()]).catch((error: unknown) => error);
    await untilBlocked(backendOf(test.ledger, 'flush'));
    // What the watchdog calls after 5 s.
    const ended = test.ledger.tooSlow();
    expect(test.intake.closed?.reason).toBe('too-slow');
    await ended;
    await expect(outcome).resolves.toBeInstanceOf(OutcomeUnknownError);
    await blocker.query('COMMIT');
    await untilOpen();
    expect(await ids('journal')).toEqual([]);
  });

  it('keeps nothing and stays open when only the journal itself can not be written', async () => {
    await db.pool.query('ALTER TABLE journal RENAME TO journal_away');
    await expect(test.journal.append([makeRecord()])).rejects.toMatchObject({
      code: 'LEDGER_UNAVAILABLE',
      reason: 'too-slow',
    });
    await db.pool.query('ALTER TABLE journal_away RENAME TO journal');
    await test.journal.append([makeRecord()]);
  });

  it('rejects what waits when it stops, and what is under way unless the books have it', async () => {
    const record = makeRecord();
    await test.journal.append([record]);
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE delivered');
    const first = test.acknowledgments.finish([deliveredEnding(record)]).catch((e: unknown) => e);
    await untilBlocked(backendOf(test.ledger, 'acknowledge'));
    const second = test.acknowledgments.finish([deliveredEnding(record)]).catch((e: unknown) => e);
    const stopped = test.ledger.stop();
    await expect(second).resolves.toBeInstanceOf(LedgerStoppedError);
    await blocker.query('COMMIT');
    await stopped;
    // The answer of the server may come before the end of the connection.
    const outcome = await first;
    const isStopped = outcome instanceof LedgerStoppedError;
    const known = isStopped ? [[], []] : [outcome, await ids('journal')];
    expect(known).toEqual([[], []]);
    await expect(test.acknowledgments.finish([endingOf(record)])).rejects.toThrow(
      LedgerStoppedError,
    );
    await expect(test.journal.append([makeRecord()])).rejects.toThrow(LedgerUnavailableError);
    await expect(test.journal.discard([makeRecord()])).rejects.toThrow(LedgerUnavailableError);
  });
});
