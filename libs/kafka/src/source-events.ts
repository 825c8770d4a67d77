import { EventEmitter } from 'node:events';

/** `failed`: the topics are not as configured; looked at again all the same. */
export type SourceState = 'stopped' | 'connecting' | 'running' | 'waiting' | 'failed' | 'draining';

interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export interface StateChange {
  readonly from: SourceState;
  readonly to: SourceState;
  readonly detail: string | undefined;
}

export interface AssignmentChange {
  readonly epoch: number;
  readonly kept: number;
  readonly gained: number;
  readonly lost: number;
}

/** Retention has eaten records: `from` to `to` − 1 were never handed over. */
export interface OffsetReset extends TopicPartition {
  readonly from: bigint;
  readonly to: bigint;
}

/** The topic was made anew; its offsets start over. */
export interface NewIncarnation extends TopicPartition {
  readonly oldIncarnation: number;
  readonly incarnation: number;
  readonly oldLow: bigint;
}

/** The group's offset is ahead of the books; the books decide. */
export interface CommittedAhead extends TopicPartition {
  readonly committed: bigint;
  readonly low: bigint;
}

/** What a source tells; metrics and logs listen. A listener must not throw. */
export interface KafkaSourceEventMap {
  state: [StateChange];
  assigned: [AssignmentChange];
  offsetReset: [OffsetReset];
  incarnation: [NewIncarnation];
  committedAhead: [CommittedAhead];
  /** Somebody else took the partition while we still wrote its books. */
  fenced: [TopicPartition];
  paused: [TopicPartition & { readonly reason: string }];
  resumed: [TopicPartition & { readonly reason: string }];
  crash: [Error];
  /** A step went wrong and is tried again: what, and why. */
  trouble: [{ readonly during: string; readonly error: unknown }];
}

export class KafkaSourceEvents extends EventEmitter<KafkaSourceEventMap> {}
