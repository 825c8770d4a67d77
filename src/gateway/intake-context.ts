import { LazyAbort } from '../pipeline/lazy-abort.js';
import type { Priority } from '../pipeline/record.js';
import type { RequestKey } from './request-key.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the admission hook on the routes that take records. */
    intake?: IntakeContext;
  }
}

/** What the Gateway knows of a request that brings records, from its header fields to its answer. */
export class IntakeContext {
  private readonly gone = new LazyAbort();
  /** Of the header Idempotency-Key. */
  requestKey: RequestKey | undefined;
  /** Records charged to the rate limit whose fate is not decided yet; given back when the request ends. */
  chargedRecords = 0;
  /** Bytes reserved for the body, until its records have their credits. */
  reservedBodyBytes = 0;
  /** Monotonic ms at which the body was there: latency begins here, not with a slow sender or a throttle delay. */
  readyAtMs = 0;

  constructor(
    readonly tenant: string,
    /** Of the header; a record's own wins. */
    readonly priority: Priority | undefined,
    readonly isStream: boolean,
  ) {}

  /** Aborted when the caller has left before its answer. */
  get signal(): AbortSignal {
    return this.gone.signal;
  }

  callerLeft(): void {
    this.gone.abort(new Error('The caller has left.'));
  }
}
