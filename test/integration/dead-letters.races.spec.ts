import { Logger } from '@nestjs/common';
import type { Admission } from '../../libs/back-pressure/src/index.js';
import { SystemClock } from '../../libs/flow-control/src/index.js';
import { DeadLetterDesk, type DeskAnswer } from '../../src/dead-letters/dead-letter-desk.js';
import { RedriveEntry, type TakenLetter } from '../../src/dead-letters/redrive-entry.port.js';
import { RedriveQueue } from '../../src/dead-letters/redrive-queue.js';
import { Redriver } from '../../src/dead-letters/redriver.js';
import { Conservation } from '../../src/ledger/conservation.js';
import { ensureSinkTable } from '../../src/ledger/sink-table.js';
import { InFlight } from '../../src/pipeline/in-flight.js';
import { Pauses } from '../../src/pipeline/pauses.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import {
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

const DEAD = { status: 'dead-lettered', reason: 'final' } as const;

/** A record of a letter, as the redriver makes it. */
const redriven = (id: string, recordId: string, redriveCount: number): PipelineRecord =>
  makeRecord({
    id: recordId,
    origin: { settled: () => undefined, letter: { id, redriveCount } } as never,
  });

/** Ends what enters by the books, now and then as a dead letter again. */
class EndingEntry extends RedriveEntry {
  readonly entered: string[] = [];
  dies: (letter: TakenLetter) => boolean = () => false;

  constructor(
    private readonly ledger: TestLedger,
    readonly inFlight: InFlight,
  ) {
    super();
  }

  admit(): Promise<Admission> {
    return Promise.resolve({ release: () => undefined } as unknown as Admission);
  }

  enter(letter: TakenLetter): Promise<boolean> {
    const record = redriven(letter.id, letter.recordId, letter.redriveCount);
    this.entered.push(letter.id);
    this.inFlight.resume([record]);
    void this.end(record, letter);
    return Promise.resolve(true);
  }

  private async end(record: PipelineRecord, letter: TakenLetter): Promise<void> {
    const ending = this.dies(letter)
      ? endingOf(record, { terminal: DEAD })
      : deliveredEnding(record);
    await this.ledger.acknowledgments.finish([ending]);
    record.terminal = ending.terminal;
    this.inFlight.settle([record]);
  }
}

describe('dead letters under races', () => {
  let db: TestDatabase;
  let ledger: TestLedger;
  let conservation: Conservation;
  const cleanUp: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    db = await createTestDatabase();
    await ensureSinkTable(db.pool, 'delivered');
    ledger = await startLedger(db.url);
    cleanUp.push(() => ledger.ledger.stop());
    conservation = new Conservation(await db.dataSource());
  });
  afterEach(async () => {
    for (const each of cleanUp.splice(0).toReversed()) await each();
    await db.drop();
  });

  const deskOf = async ({ ledger: books, deadLetters }: TestLedger): Promise<DeadLetterDesk> =>
    new DeadLetterDesk(await db.dataSource(), books, deadLetters);
  const redriverOf = async (
    of: TestLedger,
  ): Promise<{ entry: EndingEntry; redriver: Redriver }> => {
    const inFlight = new InFlight();
    const entry = new EndingEntry(of, inFlight);
    const queue = new RedriveQueue(await db.dataSource(), of.deadLetters, of.ledger);
    const clock = new SystemClock();
    const redriver = new Redriver({
      queue,
      store: of.deadLetters,
      ledger: of.ledger,
      entry,
      inFlight,
      pauses: new Pauses(),
      clock,
    });
    cleanUp.push(() => redriver.stop());
    redriver.start();
    return { entry, redriver };
  };
  const bury = async (count: number): Promise<{ id: string; recordId: string }[]> => {
    const records = makeRecords(count);
    await ledger.journal.append(records);
    await ledger.acknowledgments.finish(
      records.map((record) => endingOf(record, { terminal: DEAD })),
    );
    const { rows } = await db.pool.query<{ id: string; record_id: string }>(
      'SELECT id, record_id FROM dead_letter ORDER BY id',
    );
    return rows.map((row) => ({ id: row.id, recordId: row.record_id }));
  };
  const states = async (): Promise<Record<string, number>> => {
    const { rows } = await db.pool.query<{ state: string; count: number }>(
      'SELECT state, count(*)::int AS count FROM dead_letter GROUP BY state',
    );
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
  };

  it('do one of several redrives of a letter at once (DD1)', async () => {
    const [letter] = await bury(1);
    const desk = await deskOf(ledger);
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, i) => desk.redrive(letter!.id, `operator ${i}`)),
    );
    const done = answers.filter(({ kind }) => kind === 'done');
    expect(done).toEqual([{ kind: 'done', recordId: letter!.recordId, redriveCount: 1 }]);
    expect(answers.filter(({ kind }) => kind === 'not-waiting')).toHaveLength(4);
    await expect(conservation.read()).resolves.toMatchObject({
      deadLettered: 0,
      inFlight: 1,
      balanced: true,
    });
  });

  it('do a redrive or a discard, never both (DD1, DD2)', async () => {
    const letters = await bury(40);
    const desk = await deskOf(ledger);
    const answers: DeskAnswer[] = [];
    for (const [i, { id }] of letters.entries()) {
      const both = [() => desk.redrive(id, 'one'), () => desk.discard(id, 'old', 'other')];
      const wishes = i % 2 === 0 ? both : both.toReversed();
      answers.push(...(await Promise.all(wishes.map((wish) => wish()))));
    }
    expect(answers.filter(({ kind }) => kind === 'done')).toHaveLength(40);
    const { redriving = 0, discarded = 0 } = await states();
    expect(redriving + discarded).toBe(40);
    await expect(conservation.read()).resolves.toMatchObject({
      deadLettered: discarded,
      inFlight: redriving,
      balanced: true,
    });
    expect(ledger.deadLetters.count).toBe(redriving);
  });

  it('end a redrive once, whoever ends it, and an earlier one not at all (DL2, RE2)', async () => {
    const [letter] = await bury(1);
    const { id, recordId } = letter!;
    const desk = await deskOf(ledger);
    await desk.redrive(id, 'one');
    await ledger.acknowledgments.finish([endingOf(redriven(id, recordId, 1), { terminal: DEAD })]);
    await desk.redrive(id, 'one');
    // A process that was frozen during the first redrive wakes up.
    await ledger.acknowledgments.finish([deliveredEnding(redriven(id, recordId, 1))]);
    expect(await states()).toEqual({ redriving: 1 });
    const twice = [1, 2].map(() => deliveredEnding(redriven(id, recordId, 2)));
    for (const ending of twice) await ledger.acknowledgments.finish([ending]);
    await ledger.acknowledgments.finish([endingOf(redriven(id, recordId, 2), { terminal: DEAD })]);
    expect(await states()).toEqual({ redriven: 1 });
    await expect(conservation.read()).resolves.toMatchObject({
      acknowledged: 1,
      deadLettered: 0,
      inFlight: 0,
      balanced: true,
    });
    const { rows } = await db.pool.query(
      `SELECT (SELECT count(*)::int FROM acknowledgment) AS ends, (SELECT count(*)::int FROM delivered) AS rows`,
    );
    expect(rows).toEqual([{ ends: 1, rows: 1 }]);
  });

  it('enter the end without the row of a day that retention has dropped', async () => {
    const [letter] = await bury(1);
    const { id, recordId } = letter!;
    const { rows } = await db.pool.query<{ day: string }>(
      `SELECT inhrelid::regclass::text AS day FROM pg_inherits WHERE inhparent = 'acknowledgment'::regclass`,
    );
    for (const { day } of rows) await db.pool.query(`DROP TABLE ${day}`);
    await (await deskOf(ledger)).redrive(id, 'one');
    await ledger.acknowledgments.finish([deliveredEnding(redriven(id, recordId, 1))]);
    expect(await states()).toEqual({ redriven: 1 });
    await expect(conservation.read()).resolves.toMatchObject({ acknowledged: 1, balanced: true });
  });

  it('are carried by the owner of the partitions alone, and by the next one when it has gone (RD1, RD2)', async () => {
    const letters = await bury(30);
    const other = makeLedger(db.url, { instanceId: 'replica-2' });
    await other.ledger.start(() => undefined);
    cleanUp.push(() => other.ledger.stop());
    expect(other.ledger.isOpen).toBe(false);
    const here = await redriverOf(ledger);
    const there = await redriverOf(other);
    // Asked for at the replica that does not own them.
    const desk = await deskOf(other);
    for (const { id } of letters.slice(0, 20)) await desk.redrive(id, 'one');
    await until(async () => (await states())['redriven'] === 20, { what: 'twenty to be redriven' });
    expect(there.entry.entered).toEqual([]);
    expect(here.entry.entered).toHaveLength(20);
    await here.redriver.stop();
    for (const { id } of letters.slice(20)) await desk.redrive(id, 'one');
    await ledger.ledger.stop();
    await until(async () => (await states())['redriven'] === 30, { what: 'the rest' });
    expect(there.entry.entered).toHaveLength(10);
    await expect(conservation.read()).resolves.toMatchObject({
      acknowledged: 30,
      inFlight: 0,
      balanced: true,
    });
    // The count follows what others have done.
    await until(() => other.deadLetters.count === 0);
  });

  it('balance at every moment while letters are redriven, die again and are discarded', async () => {
    const letters = await bury(40);
    const desk = await deskOf(ledger);
    const { entry } = await redriverOf(ledger);
    entry.dies = ({ redriveCount }) => redriveCount < 2;
    let isOver = false;
    const unbalanced: object[] = [];
    const watch = (async () => {
      while (!isOver) {
        const report = await conservation.read();
        if (!report.balanced) unbalanced.push(report);
      }
    })();
    // The pool has five connections: two hands, the redriver, and who watches.
    const hands = [0, 1].map(async (hand) => {
      for (const [i, { id }] of letters.entries()) {
        if (i % 2 !== hand) continue;
        if (i % 4 === 0) await desk.discard(id, 'old', 'one');
        else await redriveUntilItEnds(desk, id);
      }
    });
    await Promise.all(hands);
    isOver = true;
    await watch;
    expect(unbalanced).toEqual([]);
    expect(await states()).toEqual({ redriven: 30, discarded: 10 });
    await expect(conservation.read()).resolves.toMatchObject({
      acknowledged: 30,
      deadLettered: 10,
      inFlight: 0,
    });
  });

  /** As often as it dies again. */
  const redriveUntilItEnds = (desk: DeadLetterDesk, id: string) =>
    until(async () => {
      const { kind } = await desk.redrive(id, 'one');
      return kind === 'not-waiting' && (await stateOf(id)) === 'redriven';
    });
  const stateOf = async (id: string): Promise<string | undefined> => {
    const { rows } = await db.pool.query<{ state: string }>(
      'SELECT state FROM dead_letter WHERE id = $1',
      [id],
    );
    return rows[0]?.state;
  };
});
