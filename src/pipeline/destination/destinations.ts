import { Injectable } from '@nestjs/common';
import type {
  CircuitBreakerSnapshot,
  LatencyHistogram,
  RetryBudgetSnapshot,
} from '#libs/flow-control';
import type { KafkaSinkSnapshot } from '#libs/kafka';

/**
 * - `connecting`: nothing is known yet.
 * - `busy`: it has asked to be left alone until a moment; records wait.
 * - `away`: nobody answers, or nearly nobody; records wait.
 * - `failed`: an operator has to change something; records wait.
 */
export type DestinationState = 'connecting' | 'ready' | 'busy' | 'away' | 'failed' | 'stopped';

/** How a call ended, as the guard sees it: what the failure says, before others' success is looked at. */
export type CallOutcome =
  'succeeded' | 'timeout' | 'outage' | 'busy' | 'retryable' | 'final' | 'dropped';

/** What became of a record after a failed attempt. */
export type FailedAttemptEnd =
  | 'retried'
  | 'held-outage'
  | 'held-busy'
  | 'rejected'
  | 'attempts-used-up'
  | 'retry-budget'
  | 'unsafe-number'
  | 'pipeline';

/** What the guard of a destination has seen and decided. */
export interface GuardSnapshot {
  readonly breaker: CircuitBreakerSnapshot;
  /** Time until it may be called again, as it asked for; 0: at once. */
  readonly gateClosedForMs: number;
  readonly budget: RetryBudgetSnapshot;
  /** Calls that have outlived their timeout and not ended. */
  readonly abandoned: number;
  /** Since the start: calls that became abandoned, and those of them that ended after all. */
  readonly abandonedTotal: number;
  readonly abandonedEnded: number;
  /** Calls made one by one, since the start; none of a sink that sends by itself. */
  readonly calls: Readonly<Record<CallOutcome, number>>;
  readonly callTimes: LatencyHistogram;
  /** Failed attempts of records since the start. */
  readonly failedAttempts: Readonly<Record<FailedAttemptEnd, number>>;
}

/** What became of the records for a sink that is not required, since the start. */
export interface BestEffortSnapshot {
  readonly delivered: number;
  /** Not offered to it: it had its bound of records inside. */
  readonly skipped: number;
  readonly givenUp: number;
}

/** Where it stands, and why, as a sentence. */
export interface DestinationCondition {
  readonly state: DestinationState;
  readonly detail: string | undefined;
}

/** What observers may know of a destination. */
export interface DestinationStatus extends DestinationCondition {
  /** As the books name it. */
  readonly name: string;
  readonly kind: 'egress' | 'sink';
  readonly guard: GuardSnapshot;
  /** Of a sink that is not required: what became of its records. No health depends on it. */
  readonly bestEffort?: BestEffortSnapshot;
  /** Of a Kafka sink. */
  readonly topic?: string;
  readonly producer?: KafkaSinkSnapshot;
}

/** Where stages show their destinations to health checks and metrics, which never see a stage's inside. */
@Injectable()
export class Destinations {
  private readonly readers: (() => DestinationStatus)[] = [];

  add(read: () => DestinationStatus): void {
    this.readers.push(read);
  }

  all(): DestinationStatus[] {
    return this.readers.map((read) => read());
  }
}
