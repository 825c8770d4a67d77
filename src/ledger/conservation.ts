import type { RowReader } from './row-reader.js';
import { TOTALS } from './statements/lookup.statements.js';

/** Records since the beginning of the database. */
export interface SourceTotals {
  readonly accepted: number;
  readonly acknowledged: number;
  readonly deadLettered: number;
  readonly discarded: number;
}

export interface ConservationReport extends SourceTotals {
  /** Counted in the journal and among the letters that are sent again, not computed: so the equation can fail. */
  readonly inFlight: number;
  /** accepted = acknowledged + dead-lettered + discarded + in flight, for each source */
  readonly balanced: boolean;
  readonly sources: { readonly rest: SourceTotals; readonly kafka: SourceTotals };
}

type TotalsRow = {
  readonly source: string;
  readonly journal: string;
  readonly redriving: string;
} & {
  readonly [Name in keyof SourceTotals]: string;
};

/** Whether every accepted record is accounted for, from the running totals and the journal. */
export class Conservation {
  constructor(private readonly database: RowReader) {}

  /** Reads everything in one snapshot. */
  async read(): Promise<ConservationReport> {
    const rows = await this.database.query<TotalsRow[]>(TOTALS);
    const rest = totalsOf(rows, 'rest');
    const kafka = totalsOf(rows, 'kafka');
    const sum: SourceTotals = {
      accepted: rest.accepted + kafka.accepted,
      acknowledged: rest.acknowledged + kafka.acknowledged,
      deadLettered: rest.deadLettered + kafka.deadLettered,
      discarded: rest.discarded + kafka.discarded,
    };
    const restInFlight = Number(rows[0]?.journal ?? 0) + redrivingOf(rows, 'rest');
    // A Kafka record counts when it has ended for the first time: until then the broker has it.
    const kafkaInFlight = redrivingOf(rows, 'kafka');
    return {
      ...sum,
      inFlight: restInFlight + kafkaInFlight,
      balanced:
        rest.accepted === endedOf(rest) + restInFlight &&
        kafka.accepted === endedOf(kafka) + kafkaInFlight,
      sources: { rest, kafka },
    };
  }
}

function endedOf({ acknowledged, deadLettered, discarded }: SourceTotals): number {
  return acknowledged + deadLettered + discarded;
}

function redrivingOf(rows: readonly TotalsRow[], source: string): number {
  return Number(rows.find((one) => one.source === source)?.redriving ?? 0);
}

function totalsOf(rows: readonly TotalsRow[], source: string): SourceTotals {
  const row = rows.find((one) => one.source === source);
  return {
    accepted: Number(row?.accepted ?? 0),
    acknowledged: Number(row?.acknowledged ?? 0),
    deadLettered: Number(row?.deadLettered ?? 0),
    discarded: Number(row?.discarded ?? 0),
  };
}
