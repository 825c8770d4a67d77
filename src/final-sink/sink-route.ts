import type { StageMeter } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import type { DeliveryLease } from '../ledger/delivery-lease.port.js';
import type { DestinationGuard } from '../pipeline/destination/destination-guard.js';
import type { Carried } from '../pipeline/give-back.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { StageRuntime } from '../pipeline/stage-runtime.js';
import { BestEffort } from './best-effort.js';
import { Deliveries } from './deliveries.js';
import type { Delivered } from './delivery-item.js';
import type { FinalSinkOptions } from './final-sink.options.js';
import { guardOf } from './sink-guard.js';
import type { RoutedSink, Sink } from './sinks/sink.js';

/** The way to one sink. */
export interface SinkRoute {
  readonly sink: Sink;
  readonly guard: DestinationGuard;
  readonly deliveries: Deliveries;
  /** Of a sink that is not required. */
  readonly bestEffort: BestEffort | undefined;
}

/** Which records go which way, and what follows from the answers. */
export interface Distribution {
  take(records: readonly PipelineRecord[], lot: Lot): void;
  /** The sink has these records. */
  delivered(route: SinkRoute, delivered: readonly Delivered[]): void;
  /** No further delivery; resolves when the next record of the key may go there. */
  gaveUp(route: SinkRoute, carried: Carried, reason: string): Promise<void>;
}

export interface SinkRouteParts {
  readonly runtime: StageRuntime;
  readonly options: FinalSinkOptions;
  readonly meter: StageMeter;
  readonly lease: DeliveryLease;
  readonly isBlocked: () => boolean;
  /** A record is somebody else's by now: of a single sink only. */
  readonly onLeft: (left: Carried) => void;
  /** Hears of the answers. */
  readonly distribution: () => Distribution;
}

/** Makes the way to a sink. A sink that is not required waits out no outage: every failure is charged. */
export function sinkRoute({ sink, isRequired }: RoutedSink, parts: SinkRouteParts): SinkRoute {
  const { runtime, distribution } = parts;
  const options: FinalSinkOptions = isRequired
    ? parts.options
    : { ...parts.options, outagePolicy: 'dead-letter' };
  const guard = guardOf(sink, options, runtime);
  const maxRecords = options.maxPendingAcknowledgments;
  const deliveries = new Deliveries({
    runtime,
    options,
    sink,
    guard,
    meter: parts.meter,
    lease: parts.lease,
    isBlocked: parts.isBlocked,
    onDelivered: (delivered) => distribution().delivered(route, delivered),
    onGivenUp: (carried, reason) => distribution().gaveUp(route, carried, reason),
    onLeft: parts.onLeft,
  });
  const route: SinkRoute = {
    sink,
    guard,
    deliveries,
    bestEffort: isRequired
      ? undefined
      : new BestEffort({ name: sink.name, maxRecords, clock: runtime.clock }),
  };
  return route;
}

/** Lets as many records be pending at the sink. */
export function resizeRoute({ deliveries, bestEffort }: SinkRoute, maxPending: number): void {
  deliveries.resize(maxPending);
  bestEffort?.resize(maxPending);
}

/** Records that the sink works on at a time. */
export function inServiceLimitOf(
  { maxBatchRecords, isOrdered, repeats }: Sink,
  maxPending: number,
): number {
  return isOrdered && !repeats ? Math.min(maxBatchRecords, maxPending) : maxPending;
}
