import type { Origin, PipelineRecord } from '../pipeline/record.js';

/** The dead letter that a record is sent again from: while it is on its way, the letter is its journal. */
export interface RedrivenLetter {
  readonly id: string;
  /** How often the letter was redriven, this time included: the fence. An end of an earlier time ends nothing. */
  readonly redriveCount: number;
  /** The one destination it is for; absent: the record never reached its destinations, and is for all of them. */
  readonly destination?: string;
  /** Where the record stands in Kafka; absent for a REST record. */
  readonly position?: {
    readonly source: number;
    readonly partition: number;
    readonly offset: bigint;
  };
}

/** The origin of redriven records. */
export interface RedriveOrigin extends Origin {
  readonly letter: RedrivenLetter;
}

/** Undefined for a record that its source has brought, or the journal. */
export function letterOf({ origin }: PipelineRecord): RedrivenLetter | undefined {
  return 'letter' in origin ? (origin as RedriveOrigin).letter : undefined;
}
