import { LazyAbort } from '../pipeline/lazy-abort.js';
import type { Priority } from '../pipeline/record.js';
import type { RecordForm } from './record-form.js';
import type { RecordRate } from './tenants/record-rate.js';
import type { RequestKey } from './request-key.js';
import type { TenantQuota } from './tenants/tenant-quota.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the admission hook on the routes that take records. */
    intake?: IntakeContext;
    /** With INGEST_TOKENS, on the route that looks records up: only this tenant's are shown. */
    tokenTenant?: string | undefined;
  }
}

/** What the header fields of a request say about its records. */
export interface IntakeRequest {
  readonly tenant: string;
  /** What the records are charged to. */
  readonly rate: RecordRate;
  /** Undefined for a tenant without a rule. */
  readonly quota: TenantQuota | undefined;
  /** Of the header; a record's own wins. */
  readonly priority: Priority | undefined;
  readonly isStream: boolean;
  readonly form: RecordForm;
  /** Epoch ms; Infinity for none. */
  readonly expiresAtMs: number;
}

/** What the Gateway knows of a request that brings records, from its header fields to its answer. */
export class IntakeContext {
  private readonly gone = new LazyAbort();
  /** Of the header Idempotency-Key. */
  requestKey: RequestKey | undefined;
  /** Records charged to the rate limit whose fate is not decided yet; given back when the request ends. */
  chargedRecords = 0;
  /** Places of the tenant's that stand for no record yet; given back when the request ends. */
  places = 0;
  /** Bytes reserved for the body, until its records have their credits. */
  reservedBodyBytes = 0;
  /** Monotonic ms at which the body was there: latency begins here, not with a slow sender or a throttle delay. */
  readyAtMs = 0;

  readonly tenant: string;
  readonly rate: RecordRate;
  readonly quota: TenantQuota | undefined;
  readonly isStream: boolean;
  readonly form: RecordForm;
  readonly expiresAtMs: number;
  private readonly priority: Priority | undefined;

  constructor({ tenant, rate, quota, priority, isStream, form, expiresAtMs }: IntakeRequest) {
    this.tenant = tenant;
    this.rate = rate;
    this.quota = quota;
    this.priority = priority;
    this.isStream = isStream;
    this.form = form;
    this.expiresAtMs = expiresAtMs;
  }

  /** Of a record: its own priority, or the request's, or `normal`; not above what its tenant may have. */
  priorityOf(own: Priority | undefined): Priority {
    const priority = own ?? this.priority ?? 'normal';
    return this.quota === undefined ? priority : this.quota.lowered(priority);
  }

  /** Aborted when the caller has left before its answer. */
  get signal(): AbortSignal {
    return this.gone.signal;
  }

  callerLeft(): void {
    this.gone.abort(new Error('The caller has left.'));
  }
}
