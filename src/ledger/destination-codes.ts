import type { LedgerSession } from './ledger-session.js';
import { ADD_DESTINATION, DESTINATION_CODE } from './statements/acknowledge.statements.js';

/** Names of destinations as the two-byte codes of the books. Bounded by the sinks that are configured. */
export class DestinationCodes {
  private readonly codes = new Map<string, number>();

  constructor(private readonly session: LedgerSession) {}

  /** Learns the names that are new; rejects like a statement. Outside of a transaction only. */
  async learn(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      if (this.codes.has(name)) continue;
      await this.session.query(ADD_DESTINATION, [name]);
      const { rows } = await this.session.query<[number]>(DESTINATION_CODE, [name]);
      if (rows[0] !== undefined) this.codes.set(name, rows[0][0]);
    }
  }

  /** The code of a name that was learnt. */
  of(name: string): number {
    const code = this.codes.get(name);
    if (code === undefined) throw new RangeError(`The destination "${name}" was not learnt.`);
    return code;
  }
}
