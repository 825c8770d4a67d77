import type { Admission } from '#libs/back-pressure';

/** A letter on its way again, as its record was accepted. */
export interface TakenLetter {
  readonly id: string;
  readonly recordId: string;
  readonly redriveCount: number;
  /** The one destination that it is for; absent: all that have not acknowledged its record. */
  readonly destination?: string;
  /** Those destinations; undefined: all. */
  readonly deliverTo: ReadonlySet<string> | undefined;
  readonly tenant: string;
  readonly key: string | null;
  /** The exact key, where text can't keep it. */
  readonly keyBytes: Buffer | null;
  readonly partition: number;
  readonly headers: Buffer | null;
  /** Null for a tombstone. */
  readonly payload: Buffer | null;
  readonly acceptedAtMs: number;
  /** Absent for a REST record. */
  readonly position?: {
    readonly source: number;
    readonly partition: number;
    readonly offset: bigint;
  };
}

/** Where redriven records enter the pipeline. */
export abstract class RedriveEntry {
  /**
   * Waits until there are credits of the entry and of the pipeline that nobody else waits for. Rejects when the signal is
   * aborted.
   */
  abstract admit(sizeBytes: number, signal: AbortSignal): Promise<Admission>;

  /**
   * Makes the letter's record and takes it in; from then on InFlight has it, and tells of its end. The admission is
   * taken over, or given back with false: the signal was aborted before.
   */
  abstract enter(letter: TakenLetter, admission: Admission, signal: AbortSignal): Promise<boolean>;
}
