import type { Ending, OutputRow } from './acknowledgments.port.js';
import { int2Array, textArray, uuidArray } from './binary-array.js';
import type { DeadLetterWriter } from './dead-letter-writer.port.js';
import { DestinationCodes } from './destination-codes.js';
import { type EndingGroups, groupEndings } from './endings.js';
import { settleDoubt } from './kafka-fence.js';
import type { KafkaMarks } from './kafka-marks.js';
import type { LedgerSession, Statement } from './ledger-session.js';
import { type PositionBatch, PositionEndings } from './position-endings.js';
import { type RedriveBatch, RedriveEndings } from './redrive-endings.js';
import { quotedTable } from './sink-table.js';
import * as sql from './statements/acknowledge.statements.js';

/** The ids come only when some did not end. */
type Answer = [count: number, ended: string[] | null];
type BuriedRow = [id: string, acceptedAt: Date, body: Buffer, headers: Buffer | null];

/** Enters endings in one transaction; a batch of one kind is one statement and one round trip. */
export class EndingTransaction {
  private readonly destinations: DestinationCodes;
  private readonly positions: PositionEndings;
  private readonly redrives: RedriveEndings;
  private readonly outputStatements = new Map<string, Statement>();

  constructor(
    private readonly session: LedgerSession,
    private readonly deadLetters: DeadLetterWriter,
    private readonly instanceId: string,
    private readonly marks: KafkaMarks,
  ) {
    const destinations = new DestinationCodes(session);
    this.destinations = destinations;
    this.positions = new PositionEndings(session, marks, destinations, deadLetters, instanceId);
    this.redrives = new RedriveEndings(session, destinations, deadLetters, instanceId);
  }

  /**
   * Returns the ids whose journal row these tokens have ended, and those of Kafka's and redriven records. Rejects like a statement; then
   * nothing was entered.
   */
  async enter(endings: readonly Ending[], tokens: Buffer): Promise<ReadonlySet<string>> {
    const groups = groupEndings(endings);
    await settleDoubt(this.session, this.marks);
    await this.destinations.learn(new Set(endings.map((ending) => ending.destination)));
    const positions = this.positions.batch(groups.positions);
    const redrives = this.redrives.batch(groups.redriven);
    const ended = await this.run(groups, { positions, redrives }, tokens);
    const buried = groups.dead.filter(({ record }) => ended.has(record.id)).length;
    this.deadLetters.committed({ added: buried + positions.committed(), ...redrives.change() });
    for (const { record } of [...groups.positions, ...groups.redriven]) ended.add(record.id);
    return ended;
  }

  private async run(
    { plain, outputs, dead }: EndingGroups,
    { positions, redrives }: { positions: PositionBatch; redrives: RedriveBatch },
    tokens: Buffer,
  ): Promise<Set<string>> {
    const steps: (() => Promise<readonly string[] | void>)[] = [
      ...positions.steps,
      ...redrives.steps,
    ];
    if (plain.length > 0) steps.push(() => this.acknowledge(plain, tokens));
    for (const [table, rows] of outputs) steps.push(() => this.output(table, rows, tokens));
    if (dead.length > 0) steps.push(() => this.bury(dead, tokens));
    const ended = new Set<string>();
    const run = async (): Promise<void> => {
      for (const step of steps) for (const id of (await step()) ?? []) ended.add(id);
    };
    const isOneStatement = steps.length <= 1 && dead.length === 0 && !positions.hasLetters;
    await (isOneStatement && redrives.steps.length === 0 ? run() : this.inTransaction(run));
    return ended;
  }

  private async inTransaction(work: () => Promise<void>): Promise<void> {
    await this.session.query(BEGIN);
    try {
      await work();
      await this.session.query(COMMIT);
    } catch (error) {
      // Without a connection the server rolls back by itself.
      if (this.session.isOpen) await this.session.query(ROLLBACK);
      throw error;
    }
  }

  private async acknowledge(
    endings: readonly Ending[],
    tokens: Buffer,
  ): Promise<readonly string[]> {
    const { rows } = await this.session.query<Answer>(sql.ACKNOWLEDGE, [
      idsOf(endings),
      int2Array(endings.map(outcomeOf)),
      int2Array(endings.map((ending) => ending.attempts)),
      int2Array(endings.map((ending) => this.destinations.of(ending.destination))),
      textArray(endings.map((ending) => ending.externalId ?? null)),
      textArray(endings.map((ending) => ending.terminal.reason ?? null)),
      tokens,
      this.instanceId,
    ]);
    return endedOf(endings, rows);
  }

  private async output(
    table: string,
    endings: readonly Ending[],
    tokens: Buffer,
  ): Promise<readonly string[]> {
    const outputs = endings.map((ending) => ending.output as OutputRow);
    const { rows } = await this.session.query<Answer>(this.outputStatement(table), [
      idsOf(endings),
      int2Array(endings.map((ending) => ending.attempts)),
      int2Array(endings.map((ending) => this.destinations.of(ending.destination))),
      textArray(outputs.map((output) => output.key)),
      textArray(outputs.map((output) => output.payload)),
      textArray(outputs.map((output) => output.headers)),
      tokens,
      this.instanceId,
    ]);
    return endedOf(endings, rows);
  }

  private async bury(endings: readonly Ending[], tokens: Buffer): Promise<readonly string[]> {
    const { rows } = await this.session.query<BuriedRow>(sql.BURY, [
      idsOf(endings),
      tokens,
      this.instanceId,
    ]);
    const buried = new Map(rows.map((row) => [row[0], row]));
    const letters = endings.flatMap((ending) => {
      const row = buried.get(ending.record.id);
      if (row === undefined) return [];
      const [, acceptedAt, body, headers] = row;
      return [{ ending, acceptedAt, body, headers }];
    });
    if (letters.length > 0) await this.deadLetters.insert(this.session, letters);
    return rows.map(([id]) => id);
  }

  private outputStatement(table: string): Statement {
    let statement = this.outputStatements.get(table);
    if (statement === undefined) {
      const name = `ledger-output-${this.outputStatements.size + 1}`;
      statement = sql.acknowledgeWithOutput(name, quotedTable(table));
      this.outputStatements.set(table, statement);
    }
    return statement;
  }
}

const BEGIN: Statement = { text: 'BEGIN' };
const COMMIT: Statement = { text: 'COMMIT' };
const ROLLBACK: Statement = { text: 'ROLLBACK' };

function idsOf(endings: readonly Ending[]): Buffer {
  return uuidArray(endings.map((ending) => ending.record.id));
}

function outcomeOf(ending: Ending): number {
  return ending.terminal.status === 'discarded' ? sql.OUTCOME.discarded : sql.OUTCOME.acknowledged;
}

function endedOf(endings: readonly Ending[], rows: readonly Answer[]): readonly string[] {
  const [count, ended] = rows[0] ?? [0, null];
  return count === endings.length ? endings.map(({ record }) => record.id) : (ended ?? []);
}
