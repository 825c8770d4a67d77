import type { Carried } from '../pipeline/give-back.js';
import type { Attempts } from '../pipeline/destination/retry-policy.js';
import type { DeliveryCall } from './delivery-call.js';

/** A record on its way to a sink. */
export interface DeliveryItem extends Carried {
  attempts: Attempts | undefined;
  /** The call it was last sent with. */
  call: DeliveryCall | undefined;
  /** Why the sink may not send it again, once that is so. */
  givenUp: string | undefined;
  /** Its end came before the answer of its call. */
  hasEnded: boolean;
}

export function itemOf({ record, lot }: Carried): DeliveryItem {
  const nothing = { attempts: undefined, call: undefined, givenUp: undefined };
  return { record, lot, ...nothing, hasEnded: false };
}

/** A record that the destination has. */
export interface Delivered extends Carried {
  readonly externalId?: string;
}

export function deliveredOf(
  { record, lot }: DeliveryItem,
  externalId: string | undefined,
): Delivered {
  return externalId === undefined ? { record, lot } : { record, lot, externalId };
}
