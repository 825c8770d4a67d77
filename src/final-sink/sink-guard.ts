import { DestinationGuard } from '../pipeline/destination/destination-guard.js';
import type { DestinationStatus } from '../pipeline/destination/destinations.js';
import type { StageRuntime } from '../pipeline/stage-runtime.js';
import type { FinalSinkOptions } from './final-sink.options.js';
import type { BestEffort } from './best-effort.js';
import type { Sink } from './sinks/sink.js';

/** Longest back-off after the first failed delivery, and after any. */
const BASE_RETRY_DELAY_MS = 100;
const MAX_RETRY_DELAY_MS = 2000;

/** The guard of one sink. */
export function guardOf(
  sink: Sink,
  options: FinalSinkOptions,
  { clock, random }: Pick<StageRuntime, 'clock' | 'random'>,
): DestinationGuard {
  return new DestinationGuard({
    stage: 'FinalSink',
    destination: sink.name,
    settings: options,
    maxAttempts: options.maxRetries,
    baseDelayMs: BASE_RETRY_DELAY_MS,
    maxDelayMs: MAX_RETRY_DELAY_MS,
    clock,
    random,
    ...(sink.breaker === undefined ? {} : { breaker: sink.breaker }),
  });
}

/** For observers: what the sink says of itself when it is not ready, else what its guard has seen. */
export function statusOf({
  sink,
  guard,
  bestEffort,
}: {
  readonly sink: Sink;
  readonly guard: DestinationGuard;
  readonly bestEffort: BestEffort | undefined;
}): DestinationStatus {
  const own = sink.status?.();
  const isOwn = own !== undefined && own.state !== 'ready';
  const { state, detail } = isOwn ? own : guard.condition();
  return {
    ...own,
    name: sink.name,
    kind: 'sink',
    state,
    detail,
    guard: guard.snapshot(),
    ...(bestEffort !== undefined && { bestEffort: bestEffort.snapshot() }),
  };
}
