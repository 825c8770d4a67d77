import type { Clock, Timer } from '#libs/flow-control';
import type { DeliveryLease } from '../ledger/delivery-lease.port.js';

export interface LeaseGateOptions<T> {
  readonly lease: DeliveryLease;
  /** Longest time between a delivery and its answer. */
  readonly answerWithinMs: number;
  readonly clock: Clock;
  /** These may be delivered now, in this order, before all others. */
  readonly onOpen: (items: readonly T[]) => void;
}

/** How soon a renewed lease is noticed while something waits for it. */
const LOOK_EVERY_MS = 100;

/**
 * Holds records of the journal back while their lease may end before the destination has answered: another process may
 * deliver them then (O7). What a source with a fence of its own brought is let through.
 *
 * LG1 nothing of the journal passes later than the end of the lease less the time for an answer.
 * LG2 while something is held, everything that comes lines up behind it: the order stays that of the line.
 * Bounded by the stage's credits.
 */
export class LeaseGate<T extends { readonly record: { readonly source: string } }> {
  private held: T[] = [];
  private timer: Timer | undefined;

  constructor(private readonly options: LeaseGateOptions<T>) {}

  /** Those that may be delivered; the others are held. */
  pass(batch: readonly T[]): readonly T[] {
    if (this.held.length === 0 && this.isOpen) return batch;
    const isOwned = ({ record }: T): boolean => record.source === 'rest';
    this.held.push(...batch.filter(isOwned));
    this.look();
    return batch.filter((item) => !isOwned(item));
  }

  stop(): void {
    this.timer?.cancel();
    this.held = [];
  }

  private get isOpen(): boolean {
    const { lease, answerWithinMs, clock } = this.options;
    return clock.now() <= lease.heldUntilMs - answerWithinMs;
  }

  private look(): void {
    if (this.held.length === 0) return;
    this.timer?.cancel();
    this.timer = this.options.clock.setTimer(LOOK_EVERY_MS, () => this.tryOpen());
  }

  private tryOpen(): void {
    if (!this.isOpen) return this.look();
    const { held } = this;
    this.held = [];
    this.options.onOpen(held);
  }
}
