import type { Outgoing, SendOutcome } from './kafka-sink.js';

/** Kafka's framing of one record and the header with the record's id, roughly. */
const RECORD_OVERHEAD_BYTES = 96;

/** One `deliver()` call on its way to the outcomes of all its records. */
export class Delivery {
  readonly promise: Promise<readonly SendOutcome[]>;
  private readonly outcomes: SendOutcome[] = [];
  private missing: number;
  private resolve: (outcomes: readonly SendOutcome[]) => void = () => undefined;

  constructor(
    count: number,
    /** Moment of the clock; what lingers, lingers from then on. */
    readonly takenAtMs: number,
  ) {
    this.missing = count;
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
    if (count === 0) this.resolve(this.outcomes);
  }

  settle(index: number, outcome: SendOutcome): void {
    this.outcomes[index] = outcome;
    this.missing -= 1;
    if (this.missing === 0) this.resolve(this.outcomes);
  }
}

/** A record in a lane. */
export interface Entry {
  readonly record: Outgoing;
  readonly sizeBytes: number;
  readonly delivery: Delivery;
  readonly index: number;
}

/** Bytes that a record will take on the wire before compression; an estimate from above for ordinary headers. */
export function wireBytesOf({ key, value, headers }: Outgoing): number {
  let bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
  if (headers === undefined) return bytes;
  for (const name in headers) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(headers[name] ?? '');
  }
  return bytes;
}
