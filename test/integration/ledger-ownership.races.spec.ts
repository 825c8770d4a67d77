import { Logger } from '@nestjs/common';
import type { PoolClient } from 'pg';
import {
  byteaArray,
  int2Array,
  int8Array,
  textArray,
  uuidArray,
} from '../../src/ledger/binary-array.js';
import { OutcomeUnknownError } from '../../src/ledger/errors/outcome-unknown.error.js';
import { PartitionCountError } from '../../src/ledger/errors/partition-count.error.js';
import { FLUSH } from '../../src/ledger/statements/journal.statements.js';
import { RENEW, TAKE } from '../../src/ledger/statements/lease.statements.js';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import { KafkaPartition } from '../support/kafka-partition.js';
import {
  backendOf,
  deliveredEnding,
  endingOf,
  makeLedger,
  makeRecord,
  makeRecords,
  startLedger,
  type TestLedger,
} from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

Logger.overrideLogger(false);

describe('ownership of the journal', () => {
  let db: TestDatabase;
  const open: TestLedger[] = [];
  const clients: PoolClient[] = [];

  const start = async (options: Parameters<typeof startLedger>[1] = {}): Promise<TestLedger> => {
    const made = await startLedger(db.url, options);
    open.push(made);
    return made;
  };
  const connect = async (): Promise<PoolClient> => {
    const client = await db.pool.connect();
    clients.push(client);
    return client;
  };
  const pidOf = async (client: PoolClient): Promise<number> =>
    (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;
  const isBlocked = async (pid: number): Promise<boolean> =>
    (
      await db.pool.query<{ blocked: boolean }>(
        'SELECT cardinality(pg_blocking_pids($1)) > 0 AS blocked',
        [pid],
      )
    ).rows[0]!.blocked;
  const tokens = async (): Promise<bigint[]> =>
    (await db.pool.query<{ token: string }>('SELECT token FROM partition_lease')).rows.map(
      ({ token }) => BigInt(token),
    );
  const flushValues = (record: PipelineRecord, own: readonly bigint[]): unknown[] => [
    uuidArray([record.id]),
    int2Array([record.partition]),
    int2Array([0]),
    textArray([record.tenant]),
    textArray([record.key ?? null]),
    byteaArray([null]),
    byteaArray([record.body ?? null]),
    int8Array(own),
    '0',
    'somebody',
    null,
  ];
  const journalIds = async (): Promise<string[]> =>
    (
      await db.pool.query<{ id: string }>('SELECT record_id AS id FROM journal ORDER BY seq')
    ).rows.map(({ id }) => id);
  const expireLeases = (): Promise<unknown> =>
    db.pool.query("UPDATE partition_lease SET expires_at = '-infinity'");

  beforeEach(async () => {
    db = await createTestDatabase();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.release(true);
    for (const { ledger } of open.splice(0)) await ledger.stop();
    await db.drop();
  });

  it('makes a take wait for a flush that holds the lease, and a renewal not (L4)', async () => {
    await start();
    const [flusher, taker] = [await connect(), await connect()];
    await flusher.query('BEGIN');
    await flusher.query(FLUSH.text, flushValues(makeRecord({ partition: 0 }), await tokens()));
    await db.pool.query(RENEW.text, [int8Array(await tokens()), 15_000]);
    const pid = await pidOf(taker);
    const taken = taker.query(TAKE.text, [0, 'replica-1#x', 15_000, 'replica-1']);
    await until(() => isBlocked(pid), { what: 'the take to wait' });
    await flusher.query('COMMIT');
    expect((await taken).rowCount).toBe(1);
  });

  it('owes that wait to the unique token: without it a stale flush still owns its partition', async () => {
    await start();
    await db.pool.query('ALTER TABLE partition_lease DROP CONSTRAINT partition_lease_token_key');
    const flusher = await connect();
    await flusher.query('BEGIN');
    await flusher.query(FLUSH.text, flushValues(makeRecord({ partition: 0 }), await tokens()));
    const taken = await db.pool.query(TAKE.text, [0, 'replica-1#x', 15_000, 'replica-1']);
    expect(taken.rowCount).toBe(1);
    await flusher.query('COMMIT');
    expect((await db.pool.query('SELECT FROM handover')).rowCount).toBe(0);
  });

  it('lets a stale owner end nothing, and hands its records to the new one (L6)', async () => {
    const old = await start({ instanceId: 'old', leaseMs: 600_000 });
    const [first, second, third] = makeRecords(3) as [
      PipelineRecord,
      PipelineRecord,
      PipelineRecord,
    ];
    await old.journal.append([first]);
    await expireLeases();
    const heir = await start({ instanceId: 'heir' });
    expect(heir.journal.backlog().map((entry) => entry.id)).toEqual([first.id]);
    const added: string[] = [];
    heir.journal.onBacklog((entries) => added.push(...entries.map((entry) => entry.id)));
    await expect(old.acknowledgments.finish([endingOf(first)])).resolves.toEqual([]);
    expect(await journalIds()).toEqual([first.id]);
    await expect(old.journal.append([second])).rejects.toThrow(OutcomeUnknownError);
    expect(old.intake.closed?.reason).toBe('partitions-elsewhere');
    await heir.journal.append([third]);
    expect(added).toEqual([second.id]);
    expect(await journalIds()).toEqual([first.id, second.id, third.id]);
  });

  it('never moves the mark past an unfinished transaction (L5)', async () => {
    const { journal } = await start();
    const foreign = await connect();
    await foreign.query('BEGIN');
    const late = makeRecord({ partition: 1 });
    await foreign.query(FLUSH.text, flushValues(late, []));
    await journal.append([makeRecord()]);
    await journal.append([makeRecord()]);
    expect(journal.backlog()).toEqual([]);
    await foreign.query('COMMIT');
    await journal.append([makeRecord()]);
    expect(journal.backlog().map((entry) => entry.id)).toEqual([late.id]);
  });

  it('brings in what was handed over with the next renewal, without traffic', async () => {
    const { journal } = await start({ leaseMs: 300 });
    const late = makeRecord({ partition: 1 });
    await db.pool.query(FLUSH.text, flushValues(late, []));
    await until(() => journal.backlog().length === 1, { what: 'the record handed over' });
    expect(journal.backlog()[0]?.id).toBe(late.id);
  });

  it('keeps intake closed while another live replica has the partitions, and takes them when it stops', async () => {
    const first = await start({ instanceId: 'first' });
    await first.journal.append([makeRecord()]);
    const second = makeLedger(db.url, { instanceId: 'second' });
    open.push(second);
    second.intake.open('starting');
    await second.ledger.start(() => undefined);
    expect(second.intake.closed?.reason).toBe('partitions-elsewhere');
    expect(second.intake.closed?.detail).toContain('first#');
    await first.ledger.stop();
    await second.ledger.whenOpen();
    expect(second.intake.closed).toBeUndefined();
    expect(second.journal.backlog()).toHaveLength(1);
  });

  it('enters the ends of Kafka records on a replica that has no partitions, also after an outage', async () => {
    await start({ instanceId: 'first' });
    const standby = makeLedger(db.url, { instanceId: 'standby' });
    open.push(standby);
    await standby.ledger.start(() => undefined);
    const partition = await KafkaPartition.take(standby.kafkaBooks, 'orders');
    const [before, after] = partition.begin([0n, 1n]) as [PipelineRecord, PipelineRecord];
    await expect(standby.acknowledgments.finish([endingOf(before)])).resolves.toEqual([]);
    standby.ledger.sessions.acknowledge.destroy();
    await expect(standby.acknowledgments.finish([endingOf(after)])).resolves.toEqual([]);
    partition.done(0n, 1n);
    await expect(partition.write()).resolves.toBe(true);
    const { rows } = await db.pool.query('SELECT low::int AS low FROM kafka_watermark');
    expect(rows).toEqual([{ low: 2 }]);
    expect(standby.ledger.isOpen).toBe(false);
  });

  it('forgets the ends of REST records while another replica has the partitions (K2)', async () => {
    const old = await start({ instanceId: 'old', leaseMs: 600_000 });
    const record = makeRecord();
    await old.journal.append([record]);
    await expireLeases();
    await start({ instanceId: 'heir' });
    old.ledger.doubt({ reason: 'database-away', detail: 'made by the test' });
    await until(() => old.intake.closed?.reason === 'partitions-elsewhere');
    await expect(old.acknowledgments.finish([endingOf(record)])).resolves.toEqual([]);
    expect(await journalIds()).toEqual([record.id]);
  });

  it('ends the older of two processes with one INSTANCE_ID', async () => {
    const older = await start({ leaseMs: 600 });
    const newer = await start({ leaseMs: 600 });
    await until(() => older.superseded.length > 0, { what: 'the older process to be told' });
    expect(older.superseded[0]?.message).toContain('newer process with INSTANCE_ID replica-1');
    expect(older.intake.closed?.reason).toBe('stopping');
    expect(newer.intake.closed).toBeUndefined();
    expect(newer.superseded).toEqual([]);
  });

  it('takes another number of partitions with an empty journal only', async () => {
    const first = await start({ partitions: 4 });
    const record = makeRecord({ partition: 3 });
    await first.journal.append([record]);
    await first.ledger.stop();
    const wrong = makeLedger(db.url, { partitions: 2 });
    await expect(wrong.ledger.start(() => undefined)).rejects.toThrow(PartitionCountError);
    const right = await start({ partitions: 4 });
    await right.acknowledgments.finish([endingOf(record)]);
    await right.ledger.stop();
    await start({ partitions: 2 });
    expect(await tokens()).toHaveLength(2);
  });

  it('enters an end again whose tokens became stale while it waited (K1)', async () => {
    const { ledger, journal, acknowledgments, intake } = await start();
    await ensureSinkTable(db.pool, 'delivered');
    const record = makeRecord();
    await journal.append([record]);
    const blocker = await connect();
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE delivered');
    const finished = acknowledgments.finish([deliveredEnding(record)]);
    await until(() => isBlocked(backendOf(ledger, 'acknowledge')), { what: 'the end to wait' });
    // As if another replica had taken the partitions and given them back.
    await db.pool.query("UPDATE partition_lease SET token = nextval('lease_token')");
    await expect(journal.append([makeRecord()])).rejects.toThrow(OutcomeUnknownError);
    await until(() => intake.closed === undefined, { what: 'the partitions to be taken back' });
    await blocker.query('COMMIT');
    await expect(finished).resolves.toEqual([]);
    expect(await journalIds()).not.toContain(record.id);
    expect(journal.backlog()).toHaveLength(1);
  });

  it('gives concurrent appends of a key the order of their calls', async () => {
    const { journal } = await start();
    const records = makeRecords(2_000, (index) => ({ key: `k${index % 7}`, partition: index % 4 }));
    await Promise.all(records.map((record) => journal.append([record])));
    expect(await journalIds()).toEqual(records.map((record) => record.id));
    expect(journal.snapshot().flushes).toBeLessThan(50);
  });

  it('balances when appends and ends race on their two connections', async () => {
    const { journal, acknowledgments } = await start();
    const records = makeRecords(3_000);
    await Promise.all(
      records.map(async (record) => {
        await journal.append([record]);
        await acknowledgments.finish([endingOf(record)]);
      }),
    );
    expect(await journalIds()).toEqual([]);
    const { rows } = await db.pool.query(
      'SELECT sum(accepted)::int AS accepted, sum(acknowledged)::int AS acknowledged FROM total',
    );
    expect(rows).toEqual([{ accepted: 3_000, acknowledged: 3_000 }]);
    expect((await db.pool.query('SELECT FROM acknowledgment')).rowCount).toBe(3_000);
  });

  it('ends the back end of a lost flush that still holds its leases', async () => {
    const { ledger, journal, intake } = await start();
    // As behind a network that swallows everything: the server doesn't notice that its client has gone.
    await ledger.sessions.flush.query({ text: 'SET client_connection_check_interval = 0' });
    const record = makeRecord();
    const blocker = await connect();
    await blocker.query('BEGIN');
    // The same id, not committed: the flush waits for it while it holds its leases.
    await blocker.query(
      `INSERT INTO journal (record_id, partition, tenant, payload) VALUES ($1, 0, 't', '')`,
      [record.id],
    );
    const stuck = backendOf(ledger, 'flush');
    const appended = journal.append([record]).catch((error: unknown) => error);
    await until(() => isBlocked(stuck), { what: 'the flush to wait' });
    ledger.sessions.flush.destroy();
    await expect(appended).resolves.toBeInstanceOf(OutcomeUnknownError);
    expect(intake.closed?.reason).toBe('database-away');
    await until(() => intake.closed === undefined, { what: 'the way back' });
    await blocker.query('ROLLBACK');
    expect(await journalIds()).toEqual([]);
    await journal.append([makeRecord()]);
  });
});
