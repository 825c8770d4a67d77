import type { CircuitBreaker } from '#libs/flow-control';
import type { ExternalId } from '../../ledger/acknowledgments.port.js';
import type { DestinationStatus } from '../../pipeline/destination/destinations.js';
import type { Failure } from '../../pipeline/destination/failure.js';
import type { PipelineRecord } from '../../pipeline/record.js';

/** What a destination said about one record. */
export type DeliveryOutcome =
  | { readonly kind: 'acknowledged'; readonly externalId?: ExternalId | undefined }
  | { readonly kind: 'failed'; readonly failure: Failure };

export const ACKNOWLEDGED: DeliveryOutcome = Object.freeze({ kind: 'acknowledged' });

export interface DeliveryContext {
  readonly signal: AbortSignal;
  /**
   * Of a sink that repeats: this delivery of the record failed. Ms until it may be sent again; undefined: it may not, and
   * the sink answers with the failure.
   */
  again(record: PipelineRecord, failure: Failure): number | undefined;
  /** For a sink that repeats and ends records. What its answer says of these records changes nothing any more. */
  readonly early?: EarlyEnds;
}

/** Ends that can't wait for the answer of the whole call. */
export interface EarlyEnds {
  /**
   * `again` said no, and something waits for the record's end. Resolves with true when the books hold it; with false when
   * they have refused it, or the pipeline stops: the record is left to its source, and no offset may pass it.
   */
  giveUp(record: PipelineRecord): Promise<boolean>;
  /** The record is somebody else's by now, who answers for it: its source brings it again. */
  leave(record: PipelineRecord): void;
}

/** What a sink knows of its destination by itself. */
export type SinkStatus = Pick<DestinationStatus, 'state' | 'detail' | 'topic' | 'producer'>;

/** A destination. The rules below are the cases of test/contract/sink.contract.ts. */
export interface Sink {
  /** As the books name it. */
  readonly name: string;
  /**
   * Ordered: what is delivered first arrives first, and after a failure that may be retried no later record of its key
   * is delivered by the same call. Such a sink gets one call after the other, unless it repeats. Otherwise calls run
   * side by side, and a key has one record in them at a time.
   */
  readonly isOrdered: boolean;
  /**
   * The sink is ordered over calls that run side by side: what failed it sends again itself, in its place, as
   * `context.again` says. Its answer is the last word; a late one changes nothing but a count.
   */
  readonly repeats: boolean;
  /** Of a sink that repeats: asked for leave before each send. Absent: the destination's guard has its own. */
  readonly breaker?: CircuitBreaker | undefined;
  /** All that it has waits out a failure, so that a drain need not wait for it. Absent: false. */
  readonly isHeld?: boolean;
  /**
   * Delivery and the record's end are one transaction (among several sinks: delivery and the entry of this one): an
   * acknowledgment is in the books when it is reported.
   */
  readonly endsRecords: boolean;
  /** Records of a call, at most. */
  readonly maxBatchRecords: number;
  /**
   * Delivers in order; resolves with one outcome for each record, in the same order. Never rejects. Delivering a record
   * again is allowed and has the effect of once. Ends soon after `signal` is aborted, unless it ends records itself:
   * then it ends when the books have answered; or repeats: then `stop` ends it.
   */
  deliver(
    records: readonly PipelineRecord[],
    context: DeliveryContext,
  ): Promise<readonly DeliveryOutcome[]>;
  /** Makes the destination ready. */
  start(): Promise<void>;
  /** Ends connections. Idempotent. */
  stop(): Promise<void>;
  /** Absent or undefined: nothing is known but what its answers say. */
  status?(): SinkStatus | undefined;
}

/** A sink of the pipeline, and whether a record's end waits for it. */
export interface RoutedSink {
  readonly sink: Sink;
  readonly isRequired: boolean;
}

/** Injects the sinks of the running pipeline: `readonly RoutedSink[]`, at least one of them required. */
export const SINKS = Symbol('SINKS');
