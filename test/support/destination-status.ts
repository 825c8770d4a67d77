import type {
  DestinationState,
  DestinationStatus,
} from '../../src/pipeline/destination/destinations.js';

/** The status of a callback sink, of which a test names what it is about. */
export function destinationStatus(given: {
  readonly state: DestinationState;
  readonly breaker: 'closed' | 'open' | 'half-open';
  readonly retried: number;
}): DestinationStatus {
  const failedAttempts = { retried: given.retried, rejected: 0 };
  const guard = { breaker: { state: given.breaker }, failedAttempts };
  const { state } = given;
  return { name: 'callback', kind: 'sink', state, detail: undefined, guard } as never;
}
