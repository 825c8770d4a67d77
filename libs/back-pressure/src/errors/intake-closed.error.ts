import { BackPressureError } from './back-pressure-error.js';

/** Nothing can be accepted at all, whatever the load. The caller tries again later, or elsewhere. */
export class IntakeClosedError extends BackPressureError {
  readonly code = 'BP_INTAKE_CLOSED';
  /** `starting`, `draining`, `paused`, `database-away`, `storage-low`, …: becomes the problem's type. */
  readonly reason: string;

  constructor(details: {
    readonly reason: string;
    readonly detail?: string;
    readonly stage?: string;
    readonly retryAfterMs?: number;
  }) {
    const { reason, detail, stage = 'Gateway', retryAfterMs = DEFAULT_RETRY_MS } = details;
    super(detail ?? `No records are accepted: ${reason}`, { stage, signal: reason, retryAfterMs });
    this.reason = reason;
  }
}

/** A closed intake usually opens again by itself, within a restart or a failover. */
const DEFAULT_RETRY_MS = 5000;
