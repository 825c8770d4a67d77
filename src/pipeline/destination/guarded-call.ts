import { type Clock, LatencyHistogram, type Ticket } from '#libs/flow-control';
import type { CallOutcome } from './destinations.js';
import type { Failure } from './failure.js';

/** Calls of one destination by their outcome, and how long they took. */
export class CallLog {
  readonly times = new LatencyHistogram();
  private readonly outcomes: Record<CallOutcome, number> = {
    succeeded: 0,
    timeout: 0,
    outage: 0,
    busy: 0,
    retryable: 0,
    final: 0,
    dropped: 0,
  };

  constructor(readonly clock: Clock) {}

  get counts(): Readonly<Record<CallOutcome, number>> {
    return { ...this.outcomes };
  }

  add(outcome: CallOutcome, startedMs: number): void {
    this.outcomes[outcome] += 1;
    this.times.record(this.clock.now() - startedMs);
  }
}

/** Leave for one call, given by a DestinationGuard. To be settled on every path; only the first settling counts. */
export class GuardedCall {
  private readonly startedMs: number;
  private isSettled = false;

  constructor(
    private readonly ticket: Ticket,
    private readonly log: CallLog,
  ) {
    this.startedMs = log.clock.now();
  }

  succeeded(): void {
    if (this.settle('succeeded')) this.ticket.success();
  }

  failed(failure: Failure): void {
    const outcome = failure.isTimeout === true ? 'timeout' : failure.kind;
    if (!this.settle(outcome)) return;
    if (isAboutDestination(failure)) this.ticket.failure();
    else this.ticket.neutral();
  }

  /** The call was ended from this side; it says nothing. */
  dropped(): void {
    if (this.settle('dropped')) this.ticket.neutral();
  }

  private settle(outcome: CallOutcome): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    this.log.add(outcome, this.startedMs);
    return true;
  }
}

const SERVICE_UNAVAILABLE = 503;

/** Whether the breaker counts it: an answer about the record says that the destination works. */
function isAboutDestination({ kind, status, isConflict }: Failure): boolean {
  if (kind === 'busy') return status === SERVICE_UNAVAILABLE;
  return kind !== 'final' && isConflict !== true;
}
