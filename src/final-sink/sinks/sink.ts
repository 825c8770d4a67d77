import type { Failure } from '../../pipeline/failure.js';
import type { PipelineRecord } from '../../pipeline/record.js';

/** What a destination said about one record. */
export type DeliveryOutcome =
  | { readonly kind: 'acknowledged'; readonly externalId?: string }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** A destination. The rules below are the cases of test/contract/sink.contract.ts. */
export interface Sink {
  /** As the books name it. */
  readonly name: string;
  /**
   * Ordered: what is delivered first arrives first, and after a failure that may be retried no later record of its key
   * is delivered by the same call. Such a sink gets one call after the other. Otherwise calls run side by side, and a
   * key has one record in them at a time.
   */
  readonly isOrdered: boolean;
  /** Delivery and the record's end are one transaction: an acknowledgment is in the books when it is reported. */
  readonly endsRecords: boolean;
  /** Records of a call, at most. */
  readonly maxBatchRecords: number;
  /**
   * Delivers in order; resolves with one outcome for each record, in the same order. Never rejects. Delivering a record
   * again is allowed and has the effect of once. Ends soon after `signal` is aborted, unless it ends records itself:
   * then it ends when the books have answered.
   */
  deliver(
    records: readonly PipelineRecord[],
    context: { readonly signal: AbortSignal },
  ): Promise<readonly DeliveryOutcome[]>;
  /** Makes the destination ready. */
  start(): Promise<void>;
  /** Ends connections. Idempotent. */
  stop(): Promise<void>;
}

/** Injects the sink of the running pipeline. */
export const SINK = Symbol('SINK');
