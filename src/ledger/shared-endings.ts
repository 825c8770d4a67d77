import type { Ending, OutputRow } from './acknowledgments.port.js';
import { int2Array, int8Array, textArray, uuidArray } from './binary-array.js';
import type { DestinationCodes } from './destination-codes.js';
import { acceptedAtMsOf, type Answer, endedOf, externalIdsOf, outcomeOf } from './endings.js';
import type { LedgerSession, Statement } from './ledger-session.js';
import { quotedTable } from './sink-table.js';
import * as sql from './statements/shared.statements.js';

/**
 * Steps of records that have several destinations; each is one statement.
 *
 * SE1 a part leaves the journal row where it is, and the last step takes it: a record has one end.
 * SE2 entering a part twice is the same as once, also when the record has ended meanwhile.
 */
export class SharedEndings {
  private readonly outputStatements = new Map<string, Statement>();

  constructor(
    private readonly session: LedgerSession,
    private readonly destinations: DestinationCodes,
    private readonly instanceId: string,
  ) {}

  /** Parts without an output row: entered whoever has the record now. */
  async acknowledgeParts(parts: readonly Ending[]): Promise<readonly Ending[]> {
    await this.session.query(sql.ACKNOWLEDGE_PART, [
      idsOf(parts),
      textArray(parts.map(({ record }) => record.tenant)),
      int8Array(parts.map((part) => BigInt(Math.trunc(acceptedAtMsOf(part))))),
      this.codesOf(parts),
      int2Array(parts.map(({ attempts }) => attempts)),
      externalIdsOf(parts),
    ]);
    return parts;
  }

  /** Parts with rows of one table; returns those whose journal row these tokens still have. */
  async outputParts(
    table: string,
    parts: readonly Ending[],
    tokens: Buffer,
  ): Promise<readonly Ending[]> {
    const outputs = parts.map(({ output }) => output as OutputRow);
    const { rows } = await this.session.query<Answer>(this.outputStatement(table), [
      idsOf(parts),
      int2Array(parts.map(({ attempts }) => attempts)),
      this.codesOf(parts),
      textArray(outputs.map(({ key }) => key)),
      textArray(outputs.map(({ payload }) => payload)),
      textArray(outputs.map(({ headers }) => headers)),
      tokens,
    ]);
    return endedOf(parts, rows);
  }

  /** The end of records that become no dead letters. */
  async end(endings: readonly Ending[], tokens: Buffer): Promise<readonly Ending[]> {
    const { rows } = await this.session.query<Answer>(sql.END_SHARED, [
      idsOf(endings),
      int2Array(endings.map(outcomeOf)),
      int2Array(endings.map(({ attempts }) => attempts)),
      this.codesOf(endings),
      externalIdsOf(endings),
      textArray(endings.map(({ terminal }) => terminal.reason ?? null)),
      tokens,
      this.instanceId,
    ]);
    return endedOf(endings, rows);
  }

  private codesOf(endings: readonly Ending[]): Buffer {
    return int2Array(
      endings.map(({ destination }) =>
        destination === '' ? sql.NO_ROW : this.destinations.of(destination),
      ),
    );
  }

  private outputStatement(table: string): Statement {
    let statement = this.outputStatements.get(table);
    if (statement === undefined) {
      const name = `ledger-output-part-${this.outputStatements.size + 1}`;
      statement = sql.acknowledgePartWithOutput(name, quotedTable(table));
      this.outputStatements.set(table, statement);
    }
    return statement;
  }
}

function idsOf(endings: readonly Ending[]): Buffer {
  return uuidArray(endings.map(({ record }) => record.id));
}
