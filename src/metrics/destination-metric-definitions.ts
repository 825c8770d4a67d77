import { metric, type MetricDefinition } from './metric-definitions.js';

/** Of each destination: `egress`, and the sinks by their names. Those of calls are of destinations that are called one by one. */
export const DESTINATION_METRICS = {
  destinationReady: metric(
    'pipeline_destination_ready',
    'gauge',
    ['destination'],
    '1 while it can be delivered to; 0 while records wait for it.',
  ),
  breakerState: metric(
    'pipeline_destination_breaker_state',
    'gauge',
    ['destination', 'state'],
    '1 for the state its breaker is in: closed, open, half-open.',
  ),
  breakerOpened: metric(
    'pipeline_destination_breaker_opened_total',
    'counter',
    ['destination'],
    'Times its breaker has opened.',
  ),
  gateClosed: metric(
    'pipeline_destination_gate_closed_seconds',
    'gauge',
    ['destination'],
    'Time until it may be called again, as it asked for (429, Retry-After); 0 at once.',
  ),
  retryBudget: metric(
    'pipeline_destination_retry_budget',
    'gauge',
    ['destination'],
    'Retries that its budget would grant now.',
  ),
  failedAttempts: metric(
    'pipeline_destination_failed_attempts_total',
    'counter',
    ['destination', 'outcome'],
    'Failed attempts of records by what followed: retried, held-outage, held-busy, or a dead letter by its reason.',
  ),
  calls: metric(
    'pipeline_destination_calls_total',
    'counter',
    ['destination', 'outcome'],
    'Calls by outcome: succeeded, timeout, outage, busy, retryable, final, dropped.',
  ),
  callSeconds: metric(
    'pipeline_destination_call_seconds',
    'histogram',
    ['destination'],
    'How long a call took, whatever its outcome; waits for permits and back-off are not in it.',
  ),
  abandonedCalls: metric(
    'pipeline_destination_abandoned_calls',
    'gauge',
    ['destination'],
    'Calls that have outlived their timeout and not ended.',
  ),
  abandonedIn: metric(
    'pipeline_destination_abandoned_calls_total',
    'counter',
    ['destination'],
    'Calls that have outlived their timeout.',
  ),
  abandonedOut: metric(
    'pipeline_destination_abandoned_calls_ended_total',
    'counter',
    ['destination'],
    'Those of them that have ended after all.',
  ),
} as const satisfies Readonly<Record<string, MetricDefinition>>;
