import type { Lot } from '#libs/flow-control';
import type { StageId } from './stage-id.js';

/** Shedding order, first to last to be served. */
export const PRIORITIES = ['critical', 'high', 'normal', 'bulk'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Headers as the sender gave them; those of REST have their names in lower case. */
export type RecordHeaders = Readonly<Record<string, string>>;

/** The end of a record: it has exactly one. */
export type TerminalStatus = 'acknowledged' | 'dead-lettered' | 'discarded';

/** What a record failed with at one attempt; kept with its dead letter. */
export interface FailedAttempt {
  readonly atMs: number;
  readonly stage: StageId;
  readonly destination: string;
  readonly error: string;
  readonly status?: number;
}

/** How a record's end is entered in the books. */
export interface Terminal {
  readonly status: TerminalStatus;
  /** Why, for a dead letter or a discarded record. */
  readonly reason?: string;
}

/** What its sender knows a record by, so that a request that is repeated brings it once. Its scope is the tenant. */
export interface IdempotencyKey {
  readonly key: string;
  /** SHA-256 of what was sent; another one under the same key is a mistake of the sender. */
  readonly fingerprint: Buffer;
}

/** What the upstream half (Gateway, KeyGen, IngressProcessing) decided about a record. */
export type Verdict =
  | { readonly kind: 'accepted' }
  /** The journal has an earlier record of the same idempotency key and content; this one goes no further. */
  | { readonly kind: 'replayed'; readonly earlierId: string }
  | { readonly kind: 'discarded'; readonly reason: string }
  | { readonly kind: 'invalid'; readonly issues: readonly ValidationIssue[] }
  | { readonly kind: 'refused'; readonly error: Error };

/** One reason why a record is invalid. `path` is a JSON pointer into the payload (RFC 6901). */
export interface ValidationIssue {
  readonly path: string;
  readonly message: string;
}

/** Who brought a record and hears about its end. */
export interface Origin {
  /** Called after the books hold the end of these records, once for each record, in batches. Never throws. */
  settled(records: readonly PipelineRecord[]): void;
}

/**
 * A record on its way. One object from the Gateway to its terminal state; every stage finds all fields in place, so the
 * shape never changes. What a stage may write is said at the field.
 */
export interface PipelineRecord {
  readonly id: string;
  readonly source: 'rest' | 'kafka';
  readonly tenant: string;
  readonly priority: Priority;
  readonly headers: RecordHeaders | undefined;
  /** Only records of REST may have one. */
  readonly idempotencyKey: IdempotencyKey | undefined;
  /** Epoch ms after which no attempt is begun and it is discarded; Infinity for none. Only records of REST have one. */
  readonly expiresAtMs: number;
  /** Epoch ms at which the Gateway took it. */
  readonly receivedAtMs: number;
  /** Bytes that its credits stand for, fixed at admission. */
  readonly sizeBytes: number;
  /** Who hears about its end. */
  readonly origin: Origin;
  /** The pipeline credit, shared by the records of one admission: `credit.release(1, sizeBytes)` at the terminal state. */
  readonly credit: Lot;
  /** The sender's key; KeyGen replaces it by the definition's. */
  key: string | undefined;
  /** The exact key of a Kafka message, where `key` can't be it (no text) and is its base64. */
  keyBytes: Buffer | undefined;
  /** Owner partition, set by KeyGen; −1 before. */
  partition: number;
  /** The value; replaced by IngressProcessing (preprocess) and AsyncEgress. */
  payload: unknown;
  /** The bytes that will be delivered; undefined until IngressProcessing has written them, null for a tombstone of Kafka. */
  body: Buffer | null | undefined;
  /**
   * Where the bytes hold a number that would lose digits if the payload were written again (JSON pointer); undefined for
   * none. Only Kafka's records may have one: they go on byte for byte.
   */
  readonly unsafeNumber: string | undefined;
  /** Where it is now. */
  stage: StageId;
  /** Epoch ms of the durable accept; 0 before. */
  acceptedAtMs: number;
  /** Attempts made by the stage it is in (egress call, delivery). */
  attempts: number;
  /** Failed attempts of all stages so far, newest last, at most 20 kept. */
  failures: FailedAttempt[] | undefined;
  /**
   * Set by the upstream half. KeyGen sets a refusal when the definition's `key` fails; IngressProcessing replaces that
   * when the record is invalid anyway. Otherwise set once.
   */
  verdict: Verdict | undefined;
  /**
   * Names of the sinks that still have to acknowledge it: the others did so before a restart, or before it became a dead
   * letter that is sent again. Undefined: all sinks. A sink that is no longer configured counts for nothing.
   */
  readonly deliverTo: ReadonlySet<string> | undefined;
  /** Set once, when its end is decided. */
  terminal: Terminal | undefined;
}
