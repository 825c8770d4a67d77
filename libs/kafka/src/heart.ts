import type { Clock } from '#libs/flow-control';
import type { SourceCounters } from './source-counters.js';

/** After these the member must join again; only kafkajs can do that, so they leave the handler. */
const REJOIN_ERRORS = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'NOT_COORDINATOR_FOR_GROUP',
  'UNKNOWN_MEMBER_ID',
]);

export function isRejoin(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'type' in error &&
    typeof error.type === 'string' &&
    REJOIN_ERRORS.has(error.type)
  );
}

export interface HeartOptions {
  readonly clock: Clock;
  readonly sessionTimeoutMs: number;
  readonly counters: SourceCounters;
  /** The group rebalances: hands off nothing more, and keeps and commits what is done. Called once a generation. */
  readonly beforeRejoin: () => Promise<void>;
}

/**
 * Beats while a handler waits. kafkajs sends a heartbeat only when its interval has passed, so asking often is free.
 *
 * H1  What lets the group go on without us leaves `beat`, after the drain; any other failure is counted and tried again.
 * H2  Such a failure leaves too when the group has heard nothing from us for a session: we are out of it.
 */
export class Heart {
  private lastContactMs: number;
  private drain: Promise<void> | undefined;
  private readonly escaped = new WeakSet<object>();

  constructor(private readonly options: HeartOptions) {
    this.lastContactMs = options.clock.now();
  }

  /** The coordinator answered. */
  contact(): void {
    this.lastContactMs = this.options.clock.now();
  }

  /** A new generation began. */
  joined(): void {
    this.contact();
    this.drain = undefined;
  }

  /** True for what `beat` threw. */
  hasLet(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.escaped.has(error);
  }

  async beat(payload: { heartbeat(): Promise<void> }): Promise<void> {
    try {
      await payload.heartbeat();
    } catch (error) {
      const { clock, counters, sessionTimeoutMs, beforeRejoin } = this.options;
      const mustRejoin = isRejoin(error);
      if (mustRejoin) await (this.drain ??= beforeRejoin());
      else counters.heartbeatFailures += 1;
      if (!mustRejoin && clock.now() - this.lastContactMs <= sessionTimeoutMs) return;
      if (typeof error === 'object' && error !== null) this.escaped.add(error);
      throw error;
    }
  }
}
