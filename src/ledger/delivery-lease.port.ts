/** How long this process is certain to own what it carries: the records of the journal. */
export abstract class DeliveryLease {
  /** Monotonic ms at which it ends unless it is renewed before; −Infinity while another process may own them. */
  abstract readonly heldUntilMs: number;
}

/** Of a process that shares its journal with nobody. */
export const UNENDING_LEASE: DeliveryLease = { heldUntilMs: Infinity };
