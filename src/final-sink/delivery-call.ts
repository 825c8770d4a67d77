import type { GuardedCall } from '../pipeline/destination/guarded-call.js';
import { LazyAbort } from '../pipeline/lazy-abort.js';
import type { DeliveryContext, EarlyEnds } from './sinks/sink.js';

/** One call of the sink: what the sink is told with it, and how it is ended from outside. */
export class DeliveryCall implements DeliveryContext {
  private readonly ending = new LazyAbort();

  constructor(
    readonly again: DeliveryContext['again'],
    readonly early: EarlyEnds,
    /** None for a sink that decides by itself when to send. */
    readonly leave: GuardedCall | undefined,
  ) {}

  get signal(): AbortSignal {
    return this.ending.signal;
  }

  /** Idempotent: the first reason counts. */
  abort(reason: Error): void {
    this.ending.abort(reason);
  }
}
