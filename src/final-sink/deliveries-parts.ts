import type { StageMeter } from '#libs/back-pressure';
import type { DeliveryLease } from '../ledger/delivery-lease.port.js';
import type { DestinationGuard } from '../pipeline/destination/destination-guard.js';
import type { Carried } from '../pipeline/give-back.js';
import type { StageRuntime } from '../pipeline/stage-runtime.js';
import type { Delivered } from './delivery-item.js';
import type { FinalSinkOptions } from './final-sink.options.js';
import type { Sink } from './sinks/sink.js';

/** What the deliveries to a sink need, and whom they tell. */
export interface DeliveriesParts {
  readonly runtime: StageRuntime;
  readonly options: FinalSinkOptions;
  readonly sink: Sink;
  readonly guard: DestinationGuard;
  readonly meter: StageMeter;
  readonly lease: DeliveryLease;
  /** Nothing is sent while this is true. */
  readonly isBlocked: () => boolean;
  /** The destination has these records; enters their end and gives their credits back. */
  readonly onDelivered: (delivered: readonly Delivered[]) => void;
  /** No further delivery; resolves when the record has its end. */
  readonly onGivenUp: (carried: Carried, reason: string) => Promise<void>;
  /** Somebody else answers for the record; gives its credits back. */
  readonly onLeft: (left: Carried) => void;
}
