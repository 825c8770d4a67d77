import type { Ending, OutputRow } from './acknowledgments.port.js';
import { int2Array, int4Array, int8Array, textArray, uuidArray } from './binary-array.js';
import type { DeadLetterWriter, LetterChange } from './dead-letter-writer.port.js';
import type { DestinationCodes } from './destination-codes.js';
import { countEnds, TOTAL_SLOT } from './end-totals.js';
import { acceptedAtMsOf, deadOf, externalIdsOf, outcomeOf } from './endings.js';
import type { LedgerSession, Statement } from './ledger-session.js';
import { letterOf } from './redriven.js';
import { quotedTable } from './sink-table.js';
import * as sql from './statements/redrive.statements.js';

/** Ends of redriven records that one transaction enters. */
export interface RedriveBatch {
  /** One step, or none. */
  readonly steps: readonly (() => Promise<void>)[];
  /** What the transaction has done to the letters, once it was committed. */
  change(): LetterChange;
}

/**
 * Enters the ends of redriven records: the letter is their journal, so its state decides where a journal row or a bit of a
 * watermark decides otherwise.
 *
 * RE1 the letter leaves `redriving` in the transaction that writes acknowledgment, output row and totals.
 * RE2 an end whose letter isn't in that redrive any more writes nothing, and so does the part of one destination.
 * RE3 of several destinations that give the record up, one keeps the letter and the others get letters of their own.
 */
export class RedriveEndings {
  private readonly outputs = new Map<string, Statement>();

  constructor(
    private readonly session: LedgerSession,
    private readonly destinations: DestinationCodes,
    private readonly deadLetters: DeadLetterWriter,
    private readonly instanceId: string,
  ) {}

  /** Plans the transaction. Nothing is sent before the steps are run. */
  batch(endings: readonly Ending[]): RedriveBatch {
    let ended: readonly Ending[] = [];
    const step = async (): Promise<void> => {
      ended = await this.enter(endings);
    };
    return {
      steps: endings.length === 0 ? [] : [step],
      change: () => {
        const returned = ended.filter(isDead);
        const letters = returned.reduce((sum, ending) => sum + deadOf(ending).length, 0);
        const redriven = ended.length - returned.length;
        return { added: letters - returned.length, redriven, returned: returned.length };
      },
    };
  }

  private async enter(endings: readonly Ending[]): Promise<readonly Ending[]> {
    const isPart = ({ step }: Ending): boolean => step === 'part';
    const parts = endings.filter(isPart);
    const last = endings.filter((ending) => !isPart(ending));
    if (parts.length > 0) {
      await this.acknowledge(await this.deadLetters.underRedrive(this.session, parts));
    }
    if (last.length === 0) return [];
    const { ended, totals } = await this.deadLetters.endRedrives(this.session, last);
    await this.acknowledge(ended.flatMap((ending) => [ending, ...(ending.others ?? [])]));
    const row = { instanceId: this.instanceId, slot: TOTAL_SLOT.acknowledge };
    await countEnds(this.session, row, totals);
    return ended;
  }

  /** Writes a row for each destination that has its record, twice as good as once. */
  private async acknowledge(endings: readonly Ending[]): Promise<void> {
    const done = endings.filter((each) => !isDead(each) && !isComplete(each));
    const rest = done.filter(({ record }) => record.source === 'rest');
    const positions = done.filter(({ record }) => record.source === 'kafka');
    if (rest.length > 0) {
      const ids = uuidArray(rest.map(({ record }) => record.id));
      await this.session.query(sql.ACKNOWLEDGE_REDRIVEN, [ids, ...this.rowsOf(rest)]);
    }
    if (positions.length > 0) {
      const values = [...placesOf(positions), ...this.rowsOf(positions)];
      await this.session.query(sql.ACKNOWLEDGE_REDRIVEN_POSITIONS, values);
    }
    for (const ending of done) await this.writeOutput(ending);
  }

  private rowsOf(endings: readonly Ending[]): Buffer[] {
    return [
      textArray(endings.map(({ record }) => record.tenant)),
      int8Array(endings.map(acceptedMsOf)),
      int2Array(endings.map(({ destination }) => this.destinations.of(destination))),
      int2Array(endings.map(outcomeOf)),
      int2Array(endings.map(({ attempts }) => attempts)),
      externalIdsOf(endings),
      textArray(endings.map(({ terminal }) => terminal.reason ?? null)),
    ];
  }

  private async writeOutput(ending: Ending): Promise<void> {
    const { output, record } = ending;
    if (output === undefined) return;
    await this.session.query(this.outputStatement(output), [
      textArray([record.id]),
      textArray([output.key]),
      textArray([output.payload]),
      textArray([output.headers]),
      int2Array([record.partition]),
      int8Array([acceptedMsOf(ending)]),
    ]);
  }

  private outputStatement({ table }: OutputRow): Statement {
    let statement = this.outputs.get(table);
    if (statement === undefined) {
      const name = `ledger-redriven-output-${this.outputs.size + 1}`;
      statement = sql.outputOfRedriven(name, quotedTable(table));
      this.outputs.set(table, statement);
    }
    return statement;
  }
}

function placesOf(endings: readonly Ending[]): Buffer[] {
  const places = endings.map(({ record }) => letterOf(record)!.position!);
  return [
    int4Array(places.map(({ source }) => source)),
    int4Array(places.map(({ partition }) => partition)),
    int8Array(places.map(({ offset }) => offset)),
  ];
}

function isDead({ terminal }: Ending): boolean {
  return terminal.status === 'dead-lettered';
}

/** Every destination had the record before it came there: their rows are in the books. */
function isComplete({ destination, terminal }: Ending): boolean {
  return destination === '' && terminal.status === 'acknowledged';
}

function acceptedMsOf(ending: Ending): bigint {
  return BigInt(Math.trunc(acceptedAtMsOf(ending)));
}
