import { CircuitBreaker, type Clock, type RandomSource, type Timer } from '#libs/flow-control';
import { breakerOptionsOf, type DestinationGuardSettings } from './destination-guard.options.js';
import type { DestinationCondition, GuardSnapshot } from './destinations.js';
import type { Failure } from './failure.js';
import { CallLog, GuardedCall } from './guarded-call.js';
import { type Attempts, type Consequence, RetryPolicy } from './retry-policy.js';
import type { StageId } from '../stage-id.js';

export interface DestinationGuardOptions {
  readonly stage: StageId;
  /** Name of the destination, as the books know it. */
  readonly destination: string;
  readonly settings: DestinationGuardSettings;
  /** Attempts in all, the first one included. */
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** Calls that may outlive their timeout at a time; at this many no call starts. Absent: no such bound here. */
  readonly maxAbandoned?: number;
  /** Of a destination that asks it for leave by itself, in place of `tryCall`. Absent: the guard's own. */
  readonly breaker?: CircuitBreaker;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** How long a call that was told to end may take to do so, before it is known to ignore that. */
const ABANDON_GRACE_MS = 100;
const MS_PER_SECOND = 1000;

/**
 * All that stands between a stage and one destination: whether it may be called now (breaker, gate, abandoned calls), and
 * what follows from a failed attempt (kinds of failures, attempts, back-off, budget).
 *
 * ```
 * mayCall ─▶ tryCall ─▶ call ─▶ succeeded
 *    ▲                     └──▶ failed(failure) ─▶ breaker; busy: the gate closes
 *    └── onOpen ◀── the breaker's or the gate's time has come
 * ```
 * DG1 no call while the breaker is open (K1), one at a time while it is half-open (K2): three successes close it. A call
 *     that ends with an answer about its record lets the next record probe (K3).
 * DG2 no call before the moment a busy destination has asked for.
 * DG3 no call, also no probe, while `maxAbandoned` calls have outlived their timeout; when they ignore their end the
 *     breaker opens. So with as many permits at most 2 × `maxAbandoned` calls exist.
 * DG4 retries that cost an attempt are within the budget (G1); nothing is failed because the breaker or gate is shut.
 * DG5 `onOpen` comes once the time is over that made `mayCall` say no; a call that settles is its caller's own occasion to
 *     ask again.
 */
export class DestinationGuard {
  readonly destination: string;
  private readonly breaker: CircuitBreaker;
  private readonly retries: RetryPolicy;
  private readonly log: CallLog;
  private readonly openListeners: (() => void)[] = [];
  private gateOpensAtMs = 0;
  private wake: { readonly timer: Timer; readonly atMs: number } | undefined;
  private grace: Timer | undefined;
  private abandonedNow = 0;
  private abandonedTotal = 0;
  private state: 'running' | 'stopped' = 'running';

  constructor(private readonly options: DestinationGuardOptions) {
    const { settings, clock, random, destination } = options;
    this.destination = destination;
    this.retries = new RetryPolicy({ ...options, outagePolicy: settings.outagePolicy });
    this.breaker =
      options.breaker ?? new CircuitBreaker({ ...breakerOptionsOf(settings), clock, random });
    this.log = new CallLog(clock);
  }

  /** Tells when calls may be made again that could not be made for a while. */
  onOpen(listener: () => void): void {
    this.openListeners.push(listener);
  }

  /** Tells when the breaker leaves `closed` (true), and when it is closed again (false). */
  onStalled(listener: (isStalled: boolean) => void): void {
    let wasStalled = false;
    this.breaker.watch((state) => {
      const isStalled = state !== 'closed';
      if (isStalled !== wasStalled) listener(isStalled);
      wasStalled = isStalled;
    });
  }

  /** Whether `tryCall` gives leave now. When not, `onOpen` comes in time. */
  mayCall(): boolean {
    const waitMs = this.waitMs();
    if (waitMs > 0) this.wakeIn(waitMs);
    return waitMs === 0;
  }

  /** Leave for one call, or undefined. Never waits. */
  tryCall(): GuardedCall | undefined {
    const ticket = this.mayCall() ? this.breaker.tryCall() : undefined;
    return ticket && new GuardedCall(ticket, this.log);
  }

  /** Counts the first attempts of records. Once a call, for all of its records. */
  firstAttempts(count: number): void {
    this.retries.firstAttempts(count);
  }

  /** Before an attempt of a record. Returns whether it is its first. */
  begin(attempts: Attempts): boolean {
    return this.retries.begin(attempts);
  }

  succeeded(attempts: Attempts): void {
    this.retries.succeeded(attempts);
  }

  /** A failed attempt of a record: what follows from it. A busy answer closes the gate. */
  failed(attempts: Attempts, failure: Failure): Consequence {
    const consequence = this.retries.failed(attempts, failure);
    const asksByItself = this.options.breaker !== undefined;
    if (failure.kind === 'busy' && consequence.kind === 'retry' && !asksByItself) {
      const opensAtMs = this.options.clock.now() + consequence.delayMs;
      this.gateOpensAtMs = Math.max(this.gateOpensAtMs, opensAtMs);
    }
    return consequence;
  }

  /** A call has outlived its timeout and not ended. */
  abandon(): void {
    this.abandonedNow += 1;
    this.abandonedTotal += 1;
    if (!this.areTooManyAbandoned || this.grace !== undefined || this.state === 'stopped') return;
    this.grace = this.options.clock.setTimer(ABANDON_GRACE_MS, () => {
      this.grace = undefined;
      if (this.areTooManyAbandoned) this.breaker.trip();
    });
  }

  /** An abandoned call has ended after all. */
  reclaim(): void {
    this.abandonedNow -= 1;
  }

  condition(): DestinationCondition {
    if (this.state === 'stopped') return { state: 'stopped', detail: undefined };
    if (this.areTooManyAbandoned) {
      const detail = `${this.abandonedNow} calls have not ended after their timeout.`;
      return { state: 'away', detail };
    }
    if (this.breaker.state !== 'closed') {
      return { state: 'away', detail: 'Calls fail; one at a time is tried.' };
    }
    const seconds = Math.ceil(this.gateClosedForMs / MS_PER_SECOND);
    return seconds === 0
      ? { state: 'ready', detail: undefined }
      : { state: 'busy', detail: `It asked to be left alone for another ${seconds} s.` };
  }

  snapshot(): GuardSnapshot {
    return {
      breaker: this.breaker.snapshot(),
      gateClosedForMs: this.gateClosedForMs,
      budget: this.retries.budgetSnapshot(),
      abandoned: this.abandonedNow,
      abandonedTotal: this.abandonedTotal,
      abandonedEnded: this.abandonedTotal - this.abandonedNow,
      calls: this.log.counts,
      callTimes: this.log.times,
      failedAttempts: this.retries.failedAttempts,
    };
  }

  /** Ends all timers. Idempotent. */
  stop(): void {
    this.state = 'stopped';
    this.wake?.timer.cancel();
    this.grace?.cancel();
  }

  private get areTooManyAbandoned(): boolean {
    return this.abandonedNow >= (this.options.maxAbandoned ?? Infinity);
  }

  private get gateClosedForMs(): number {
    return Math.max(0, this.gateOpensAtMs - this.options.clock.now());
  }

  /** Infinity: until an abandoned call ends, which its caller notices. */
  private waitMs(): number {
    if (this.areTooManyAbandoned || this.state === 'stopped') return Infinity;
    return Math.max(this.gateClosedForMs, this.breaker.retryInMs());
  }

  private wakeIn(waitMs: number): void {
    if (waitMs === Infinity) return;
    const { clock } = this.options;
    const atMs = clock.now() + waitMs;
    if (this.wake?.atMs === atMs) return;
    this.wake?.timer.cancel();
    const timer = clock.setTimer(waitMs, () => {
      this.wake = undefined;
      for (const listener of this.openListeners) listener();
    });
    this.wake = { timer, atMs };
  }
}
