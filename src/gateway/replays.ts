import { Injectable, Logger } from '@nestjs/common';
import { RecordLookup, type RecordStatus } from '../ledger/lookup.port.js';
import { InFlight } from '../pipeline/in-flight.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { AcceptedAnswer } from './records.schema.js';

/** The id of the earlier record that this one is a replay of; undefined for a record that is none. */
export function replayedIdOf({ verdict }: PipelineRecord): string | undefined {
  return verdict?.kind === 'replayed' ? verdict.earlierId : undefined;
}

/** What is said of replays: where the earlier record of the same key is now. */
@Injectable()
export class Replays {
  private readonly logger = new Logger(Replays.name);

  constructor(
    private readonly inFlight: InFlight,
    private readonly books: RecordLookup,
  ) {}

  /** Where the records of these ids are, in order. Never rejects. */
  async answersOf(ids: readonly string[]): Promise<readonly AcceptedAnswer[]> {
    const absent = ids.filter((id) => this.inFlight.get(id) === undefined);
    const known = absent.length === 0 ? NOTHING_KNOWN : await this.find(absent);
    return ids.map((id) => answerOf(id, known.get(id)));
  }

  private async find(ids: readonly string[]): Promise<ReadonlyMap<string, RecordStatus>> {
    try {
      return await this.books.findAll(ids);
    } catch (error) {
      // The journal has said that the record was accepted, which is an answer too.
      this.logger.warn(`Replays are answered without their end: ${String(error)}`);
      return NOTHING_KNOWN;
    }
  }
}

const NOTHING_KNOWN: ReadonlyMap<string, RecordStatus> = new Map();

/** Of a record that the books no longer know only what its sender was told first is known. */
function answerOf(id: string, known: RecordStatus | undefined): AcceptedAnswer {
  if (known === undefined) return { id, status: 'accepted' };
  const { status, reason } = known;
  return { id, status, ...(reason === undefined ? {} : { reason }) };
}
