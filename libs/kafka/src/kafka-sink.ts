/** A record on its way to a topic. Buffers are handed over: nobody writes into them any more. */
export interface Outgoing {
  readonly recordId: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>> | undefined;
  /** Attempt that the first send of this record will be; 1 for a new record. */
  readonly attempt: number;
}

/** How a send failed; what each kind means is said at the pipeline's `Failure`, of which this is a part. */
export interface SendFailure {
  readonly kind: 'outage' | 'busy' | 'retryable' | 'final';
  /** A sentence; no payload, no secret. */
  readonly message: string;
  /** No answer in time. */
  readonly isTimeout?: boolean;
}

export type SendOutcome =
  | { readonly kind: 'acknowledged'; readonly partition: number; readonly offset: bigint }
  | { readonly kind: 'failed'; readonly failure: SendFailure };

export interface KafkaSinkSnapshot {
  /** Records and bytes inside, those being sent included, and their bounds. */
  readonly queuedRecords: number;
  readonly queuedBytes: number;
  readonly recordCapacity: number;
  readonly byteCapacity: number;
  /** Partitions of the topic; 0 until they are known. */
  readonly partitions: number;
  /** Records that wait for the first metadata. */
  readonly unplaced: number;
  /** Lanes by what they are doing; those that hold nothing are not counted. */
  readonly lanes: { readonly sending: number; readonly held: number; readonly late: number };
  readonly acknowledged: number;
  readonly failed: number;
  /** `send()` calls, and those that failed for all of their records. */
  readonly sends: number;
  readonly failedSends: number;
  /** Answers that came after the acknowledgment timeout. */
  readonly lateAnswers: number;
}

/**
 * Delivers records to one topic.
 *
 * 1. Every record that was taken gets exactly one outcome.
 * 2. First deliveries of one key are in the order in which the records were taken.
 * 3. Records and bytes inside never pass their bounds; being full is a value, never an exception.
 */
export abstract class KafkaSink {
  /** Begins to connect and returns at once: records that come before the broker wait. Idempotent. */
  abstract start(): void;

  /**
   * Takes all of the records, or none of them: undefined when they don't fit or after `stop`. Resolves with one outcome
   * per record, in their order, when the last of them has its outcome; never rejects.
   */
  abstract deliver(records: readonly Outgoing[]): Promise<readonly SendOutcome[]> | undefined;

  /** Length of the longest prefix of `records` that `deliver` would take now. */
  abstract accepts(records: readonly Outgoing[]): number;

  /** Records that it would take now, if they were empty. */
  abstract readonly room: number;

  /**
   * Sends what is inside without lingering. Resolves when it is empty, at `deadlineMs` (a moment of the clock), or as
   * soon as all that is left is held by a failure. Takes records further on.
   */
  abstract drain(deadlineMs: number): Promise<void>;

  /** Takes nothing more and ends the connections; what is left inside fails as an outage. Idempotent. */
  abstract stop(): Promise<void>;

  abstract snapshot(): KafkaSinkSnapshot;
}
