import type { Ending, OutputRow } from './acknowledgments.port.js';
import { int2Array, textArray, uuidArray } from './binary-array.js';
import type { DeadLetterWriter } from './dead-letter-writer.port.js';
import { DestinationCodes } from './destination-codes.js';
import {
  type Answer,
  deadOf,
  endedOf,
  externalIdsOf,
  type EndingGroups,
  groupEndings,
  outcomeOf,
} from './endings.js';
import { settleDoubt } from './kafka-fence.js';
import type { KafkaMarks } from './kafka-marks.js';
import type { LedgerSession, Statement } from './ledger-session.js';
import { type PositionBatch, PositionEndings } from './position-endings.js';
import { type RedriveBatch, RedriveEndings } from './redrive-endings.js';
import { SharedEndings } from './shared-endings.js';
import { quotedTable } from './sink-table.js';
import * as sql from './statements/acknowledge.statements.js';

type BuriedRow = [id: string, acceptedAt: Date, body: Buffer, headers: Buffer | null];

/** Enters endings in one transaction; a batch of one kind is one statement and one round trip. */
export class EndingTransaction {
  private readonly destinations: DestinationCodes;
  private readonly positions: PositionEndings;
  private readonly shared: SharedEndings;
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
    this.shared = new SharedEndings(session, destinations, instanceId);
    this.positions = new PositionEndings(session, marks, destinations, deadLetters, instanceId);
    this.redrives = new RedriveEndings(session, destinations, deadLetters, instanceId);
  }

  /**
   * Returns what these tokens have entered, and all that concerns Kafka's and redriven records. Rejects like a statement;
   * then nothing was entered.
   */
  async enter(endings: readonly Ending[], tokens: Buffer): Promise<readonly Ending[]> {
    const groups = groupEndings(endings);
    await settleDoubt(this.session, this.marks);
    await this.destinations.learn(destinationsOf(endings));
    const positions = this.positions.batch(groups.positions);
    const redrives = this.redrives.batch(groups.redriven);
    const { ended, letters } = await this.run(groups, { positions, redrives }, tokens);
    const { added, ...others } = redrives.change();
    this.deadLetters.committed({ added: letters + positions.committed() + added, ...others });
    return ended.length === 0 ? rest(groups) : [...ended, ...rest(groups)];
  }

  private async run(
    groups: EndingGroups,
    { positions, redrives }: { positions: PositionBatch; redrives: RedriveBatch },
    tokens: Buffer,
  ): Promise<{ ended: readonly Ending[]; letters: number }> {
    const { parts, partOutputs, plain, outputs, last, dead } = groups;
    const { shared } = this;
    const steps: (() => Promise<readonly Ending[] | void>)[] = [
      ...positions.steps,
      ...redrives.steps,
    ];
    if (parts.length > 0) steps.push(() => shared.acknowledgeParts(parts));
    for (const [table, rows] of partOutputs) {
      steps.push(() => shared.outputParts(table, rows, tokens));
    }
    if (plain.length > 0) steps.push(() => this.acknowledge(plain, tokens));
    for (const [table, rows] of outputs) steps.push(() => this.output(table, rows, tokens));
    if (last.length > 0) steps.push(() => shared.end(last, tokens));
    let letters = 0;
    if (dead.length > 0) {
      steps.push(async () => {
        const buried = await this.bury(dead, tokens);
        for (const ending of buried) letters += deadOf(ending).length;
        return buried;
      });
    }
    let ended: readonly Ending[] = [];
    const run = async (): Promise<void> => {
      for (const step of steps) {
        const entered = (await step()) ?? [];
        ended = ended.length === 0 ? entered : [...ended, ...entered];
      }
    };
    const isOneStatement = steps.length <= 1 && dead.length === 0 && !positions.hasLetters;
    await (isOneStatement && redrives.steps.length === 0 ? run() : this.inTransaction(run));
    return { ended, letters };
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
  ): Promise<readonly Ending[]> {
    const { rows } = await this.session.query<Answer>(sql.ACKNOWLEDGE, [
      idsOf(endings),
      int2Array(endings.map(outcomeOf)),
      int2Array(endings.map((ending) => ending.attempts)),
      int2Array(endings.map((ending) => this.destinations.of(ending.destination))),
      externalIdsOf(endings),
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
  ): Promise<readonly Ending[]> {
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

  private async bury(endings: readonly Ending[], tokens: Buffer): Promise<readonly Ending[]> {
    const { rows } = await this.session.query<BuriedRow>(sql.BURY, [
      idsOf(endings),
      tokens,
      this.instanceId,
    ]);
    const buried = new Map(rows.map((row) => [row[0], row]));
    const ended = endings.filter(({ record }) => buried.has(record.id));
    const letters = ended.flatMap((ending) => {
      const [, acceptedAt, body, headers] = buried.get(ending.record.id)!;
      return deadOf(ending).map((dead) => ({ ending: dead, acceptedAt, body, headers }));
    });
    if (letters.length > 0) await this.deadLetters.insert(this.session, letters);
    return ended;
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

/** What the tokens decide nothing about. */
function rest({ positions, redriven }: EndingGroups): readonly Ending[] {
  return redriven.length === 0 ? positions : [...positions, ...redriven];
}

const BEGIN: Statement = { text: 'BEGIN' };
const COMMIT: Statement = { text: 'COMMIT' };
const ROLLBACK: Statement = { text: 'ROLLBACK' };

function idsOf(endings: readonly Ending[]): Buffer {
  return uuidArray(endings.map((ending) => ending.record.id));
}

/** Every name once; a batch of one destination is the rule. */
function destinationsOf(endings: readonly Ending[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { destination, others } of endings) {
    names.add(destination);
    if (others !== undefined) for (const other of others) names.add(other.destination);
  }
  return names;
}
