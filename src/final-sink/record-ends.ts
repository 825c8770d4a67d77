import { Logger } from '@nestjs/common';
import type { StageMeter } from '#libs/back-pressure';
import type { Clock } from '#libs/flow-control';
import type { Ending } from '../ledger/acknowledgments.port.js';
import { type Carried, giveBack } from '../pipeline/give-back.js';
import type { Settlement } from '../pipeline/settlement.js';

export interface RecordEndsParts {
  readonly settlement: Settlement;
  readonly meter: StageMeter;
  readonly clock: Clock;
}

/**
 * The last steps of a record in FinalSink: books, origin and pipeline credit, the stage's credit (FS2), on every way out
 * (FS3). Never rejects: what the books can't take stays in the journal.
 */
export class RecordEnds {
  private readonly logger = new Logger('FinalSink');

  constructor(private readonly parts: RecordEndsParts) {}

  /** Acknowledged; the books don't have it yet. `carried` are the same records. */
  async enter(endings: readonly Ending[], carried: readonly Carried[]): Promise<void> {
    try {
      const refused = await this.parts.settlement.finish(endings);
      for (const { ending, error } of refused) this.leave(ending.record.id, [ending], error);
    } catch (error) {
      this.leave(`${endings.length} records`, endings, error);
    }
    this.giveBack(carried);
  }

  /** The books have these ends. */
  tell(endings: readonly Ending[], carried: readonly Carried[]): void {
    this.parts.settlement.tell(endings);
    this.giveBack(carried);
  }

  /** One of several destinations has the records; they keep their credits. */
  async enterParts(parts: readonly Ending[]): Promise<void> {
    try {
      for (const { ending, error } of await this.parts.settlement.enterParts(parts)) {
        const { record, destination } = ending;
        this.logger.error(`Not in the books: ${destination} has ${record.id}: ${String(error)}`);
      }
    } catch (error) {
      // The ledger stops. The next start delivers to that destination again, with the same record id.
      this.logger.warn(`Not in the books: ${parts.length} acknowledgments: ${String(error)}`);
    }
  }

  /** Can't be delivered. Resolves when the record has its end. */
  async deadLetter(
    ending: Omit<Ending, 'terminal'>,
    { reason, lot }: Pick<Carried, 'lot'> & { readonly reason: string },
  ): Promise<void> {
    const { record } = ending;
    try {
      await this.parts.settlement.deadLetter(ending, reason);
    } catch (error) {
      this.leave(record.id, [ending], error);
    }
    lot.release(1, record.sizeBytes);
  }

  /** Somebody else answers for the record: no end here, and no line in the log. */
  giveAway({ record, lot }: Carried): void {
    this.parts.settlement.leave([record]);
    lot.release(1, record.sizeBytes);
  }

  private giveBack(carried: readonly Carried[]): void {
    giveBack(carried, this.parts.meter, this.parts.clock.now());
  }

  /** Safe: the journal still has the records, and the next start carries them on. */
  private leave(what: string, endings: readonly Pick<Ending, 'record'>[], error: unknown): void {
    this.logger.error(`Left to the journal: ${what}: ${String(error)}`);
    this.parts.settlement.leave(endings.map(({ record }) => record));
  }
}
