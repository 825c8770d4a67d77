import type { ExternalId } from '../ledger/acknowledgments.port.js';
import { type Attempts, NOT_BEGUN } from '../pipeline/destination/retry-policy.js';
import type { Carried } from '../pipeline/give-back.js';
import type { DeliveryCall } from './delivery-call.js';

/** A record that the destination has. */
export interface Delivered extends Carried {
  readonly externalId: ExternalId | undefined;
}

/** A record on its way to a sink. */
export interface DeliveryItem extends Attempts, Delivered {
  externalId: ExternalId | undefined;
  /** The call it was last sent with. */
  call: DeliveryCall | undefined;
  /** Why the sink may not send it again, once that is so. */
  givenUp: string | undefined;
  /** Its end came before the answer of its call. */
  hasEnded: boolean;
}

export function itemOf({ record, lot }: Carried): DeliveryItem {
  return {
    record,
    lot,
    tries: 0,
    successesBefore: NOT_BEGUN,
    externalId: undefined,
    call: undefined,
    givenUp: undefined,
    hasEnded: false,
  };
}
