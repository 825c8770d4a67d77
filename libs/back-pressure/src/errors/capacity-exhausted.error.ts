import { BackPressureError, type BackPressureErrorDetails } from './back-pressure-error.js';

/** The pipeline has no room at the moment. The caller waits `retryAfterMs` and sends the record again. */
export class CapacityExhaustedError extends BackPressureError {
  readonly code = 'BP_CAPACITY_EXHAUSTED';

  constructor(details: BackPressureErrorDetails & { readonly detail?: string }) {
    super(details.detail ?? `${details.stage} has no room (${details.signal})`, details);
  }
}
