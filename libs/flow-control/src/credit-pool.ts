import { bytesOf, fittingRecords, type Sizes } from './byte-prefix.js';
import type { Clock, Timer } from './clock.js';
import { CreditLedger } from './credit-ledger.js';
import { CreditQueueFullError } from './errors/credit-queue-full.error.js';
import { CreditWaitAbortedError } from './errors/credit-wait-aborted.error.js';
import { CreditWaitTimeoutError } from './errors/credit-wait-timeout.error.js';
import { PoolClosedError } from './errors/pool-closed.error.js';
import type { Lane, Lot } from './lot.js';
import { requireAtLeast, requireCount } from './option-range.js';
import { type PoolSize, PoolLimits } from './pool-limits.js';
import { SlowStart } from './slow-start.js';
import { type WaitOptions, WaiterQueue } from './waiter-queue.js';

/** Waiters a pool takes when nothing else is said: as many as the pipeline has records. */
const DEFAULT_MAX_WAITERS = 10_000;

export interface CreditPoolOptions {
  readonly name: string;
  /** Credits in all; `resize` changes it. */
  readonly capacity: number;
  /** Default: no bound in bytes. */
  readonly byteCapacity?: number;
  /** Default 10 000; above it `acquire` rejects at once. */
  readonly maxWaiters?: number;
  /** Credits per second by which the pool reopens after a stall. Absent: no slow start. */
  readonly replenishPerSecond?: number;
  readonly clock: Clock;
  /**
   * Credits are grantable and no waiter of the pool is left: for an owner with a line of its own. Runs inside `release`
   * and must not throw; it may request and release, a release inside makes it run once more.
   */
  readonly onAvailable?: () => void;
}

export interface AcquireOptions extends WaitOptions {
  readonly sizes?: Sizes;
  readonly lane?: Lane;
}

export interface CreditPoolSnapshot {
  readonly name: string;
  readonly capacity: number;
  /** What throughput justifies; pressure is measured against this. */
  readonly window: number;
  readonly limit: number;
  readonly available: number;
  readonly outstanding: number;
  readonly waiting: number;
  readonly bytes: Readonly<Record<'capacity' | 'limit' | 'outstanding' | 'surplus', number>>;
  /** Running counters of credits; granted − returned = outstanding. */
  readonly granted: number;
  readonly returned: number;
  /** Credits given back that nobody held: double releases. */
  readonly surplus: number;
  readonly oldestMs: number;
  /** Only while a slow start is under way. */
  readonly ceiling?: number;
}

interface CreditRequest {
  readonly count: number;
  readonly sizes: Sizes;
  readonly lane: Lane | undefined;
}

/**
 * The credits of one stage. A record takes a credit before it enters and gives it back when it has left.
 *
 * ```
 * request ──▶ prefix: limit, lane, bytes ──▶ ledger ──▶ lot ──release──▶ ledger ──▶ slow start ──▶ wake
 * acquire ──▶ line of waiters (FIFO) ────────▲                                                    │
 *                                            └───────────── head first, then onAvailable ◀────────┘
 * ```
 * Four things size it (capacity, window, reaction factor, slow start ceiling); none of them revokes a grant: a capacity
 * that is made smaller falls as credits come back. `request` never waits and costs no promise, closure or timer.
 *
 * I1 available + outstanding = capacity.
 * I2 0 ≤ outstanding ≤ capacity.
 * I3 No grant makes outstanding exceed the limit; the same in bytes, but a record above the byte limit passes alone.
 * I4 A credit of a lot comes back once; a surplus is counted and changes nothing.
 * I5 Waiters are served first in, first out; while one waits `request` grants nothing. Who gave up takes nothing.
 * I6 limit ≥ 1.
 * I7 While credits come back, every `acquire` ends: it takes 1..count, never insists on all.
 * R1 After a stall grants ≤ completions + replenish rate × time + 1 (slow-start.ts).
 */
export class CreditPool {
  readonly name: string;
  private readonly clock: Clock;
  private readonly maxWaiters: number;
  private readonly onAvailable: (() => void) | undefined;
  private readonly limits: PoolLimits;
  private readonly slowStart: SlowStart | undefined;
  private readonly ledger: CreditLedger;
  private readonly waiters: WaiterQueue<CreditRequest, Lot>;
  private state: 'open' | 'closed' = 'open';
  private announcing: 'no' | 'once' | 'again' = 'no';
  private riseTimer: Timer | undefined = undefined;

  constructor(options: CreditPoolOptions) {
    const { name, capacity, byteCapacity = Infinity, replenishPerSecond, clock } = options;
    const { maxWaiters = DEFAULT_MAX_WAITERS } = options;
    requireCount(name, 'capacity', capacity, 1);
    requireAtLeast(name, 'byteCapacity', byteCapacity, 1);
    requireCount(name, 'maxWaiters', maxWaiters, 0);
    this.name = name;
    this.clock = clock;
    this.maxWaiters = maxWaiters;
    this.onAvailable = options.onAvailable;
    this.limits = new PoolLimits(name, capacity, byteCapacity);
    this.slowStart =
      replenishPerSecond === undefined
        ? undefined
        : new SlowStart(name, capacity, replenishPerSecond);
    this.ledger = new CreditLedger(name, (before) => this.afterReturn(before));
    this.waiters = new WaiterQueue({
      clock,
      onGaveUp: () => this.wake(),
      timeoutError: ({ count }, waitedMs) =>
        new CreditWaitTimeoutError({ pool: name, count, waitedMs }),
      abortError: ({ count }, waitedMs, reason) =>
        new CreditWaitAbortedError({ pool: name, count, waitedMs, reason }),
    });
  }

  /** Credits in all. After it was made smaller it is what is outstanding, until enough came back. */
  get capacity(): number {
    return Math.max(this.limits.capacity, this.ledger.outstanding);
  }

  get outstanding(): number {
    return this.ledger.outstanding;
  }

  get waiting(): number {
    return this.waiters.size;
  }

  /** min(capacity, window): what throughput justifies, whatever a reaction or a slow start says. */
  get sized(): number {
    return this.limits.sized;
  }

  /** How much may be outstanding now. */
  get limit(): number {
    const slowStart = this.slowStart;
    if (!slowStart?.active) return this.limits.limit;
    return Math.min(this.limits.limit, slowStart.ceiling(this.clock.now()));
  }

  /** Never waits: grants the longest prefix of the batch that fits, `undefined` when nothing does or others wait. */
  request(count: number, sizes: Sizes = 0, lane?: Lane): Lot | undefined {
    return this.waiters.size > 0 ? undefined : this.grant(count, sizes, lane);
  }

  /** How many credits `request` would grant now; grants none. */
  grantable(count: number, sizes: Sizes = 0, lane?: Lane): number {
    return this.waiters.size > 0 ? 0 : this.prefix(count, sizes, lane);
  }

  /**
   * Waits its turn for 1..count credits. Rejects with CreditQueueFullError at once when too many wait, with
   * CreditWaitTimeoutError, CreditWaitAbortedError or PoolClosedError later; then nothing was granted.
   */
  async acquire(count: number, options: AcquireOptions = {}): Promise<Lot> {
    const { sizes = 0, lane, signal } = options;
    requireCount(this.name, 'count', count, 1);
    if (this.state === 'closed') throw new PoolClosedError(this.name);
    if (signal?.aborted) {
      const { reason } = signal;
      throw new CreditWaitAbortedError({ pool: this.name, count, waitedMs: 0, reason });
    }
    const lot = this.request(count, sizes, lane);
    if (lot !== undefined) return lot;
    if (this.waiters.size >= this.maxWaiters) {
      throw new CreditQueueFullError({ pool: this.name, waiting: this.waiters.size });
    }
    const granted = this.waiters.add({ count, sizes, lane }, options);
    this.wakeWhenCeilingRises();
    return granted;
  }

  /** The count form of `request`: returns the credits granted. They come back by `replenish`. */
  requestCount(count: number): number {
    const granted = this.grantable(count);
    if (granted > 0) this.noteBegin(this.clock.now());
    this.ledger.takeCount(granted);
    return granted;
  }

  /** Gives back credits of the count form; more than are out is counted as surplus and ignored. */
  replenish(count: number): void {
    this.ledger.giveBackCount(count);
  }

  /** Changes what is named, keeps the rest. Shrinking revokes nothing: it stops grants until enough came back. */
  resize(change: PoolSize): void {
    const { capacity, replenishPerSecond } = change;
    this.limits.resize(change);
    this.slowStart?.resize({ capacity, perSecond: replenishPerSecond }, this.clock.now());
    // It was set by the old rate.
    if (replenishPerSecond !== undefined) this.cancelRise();
    this.ledger.lanes.activeLanes = change.activeLanes ?? this.ledger.lanes.activeLanes;
    this.wake();
  }

  /** The owner declares a stall (breaker open, sink paused); its end starts the slow start. */
  stalled(isStalled: boolean): void {
    this.slowStart?.declare(isStalled, this.clock.now(), this.ledger.outstanding);
  }

  /** For good: waits reject with PoolClosedError, nothing is granted any more; what is out still comes back. */
  close(): void {
    this.state = 'closed';
    this.cancelRise();
    this.waiters.rejectAll(() => new PoolClosedError(this.name));
  }

  /** Age of the oldest lot still out, 0 when none is. The count form has no age. */
  oldestOutstandingMs(): number {
    const oldest = this.ledger.oldestGrantedAtMs;
    return oldest === undefined ? 0 : this.clock.now() - oldest;
  }

  snapshot(): CreditPoolSnapshot {
    const { outstanding, outstandingBytes, granted, returned, surplus, surplusBytes } = this.ledger;
    const ceiling = this.slowStart?.ceiling(this.clock.now()) ?? Infinity;
    return {
      name: this.name,
      capacity: this.capacity,
      window: this.sized,
      limit: this.limit,
      available: this.capacity - outstanding,
      outstanding,
      waiting: this.waiting,
      bytes: {
        capacity: this.limits.byteCapacity,
        limit: this.limits.byteLimit,
        outstanding: outstandingBytes,
        surplus: surplusBytes,
      },
      granted,
      returned,
      surplus,
      oldestMs: this.oldestOutstandingMs(),
      ...(ceiling === Infinity ? {} : { ceiling }),
    };
  }

  private grant(count: number, sizes: Sizes, lane: Lane | undefined): Lot | undefined {
    const fit = this.prefix(count, sizes, lane);
    if (fit === 0) return undefined;
    const nowMs = this.clock.now();
    this.noteBegin(nowMs);
    return this.ledger.take(fit, bytesOf(fit, sizes), lane, nowMs);
  }

  private prefix(count: number, sizes: Sizes, lane: Lane | undefined): number {
    if (this.state === 'closed') return 0;
    const { outstanding, outstandingBytes, lanes } = this.ledger;
    const room = lanes.share(this.limit - outstanding, lane);
    // An owner with a line of its own learns by `onAvailable` when the ceiling has risen.
    if (room < count && this.onAvailable !== undefined) this.wakeWhenCeilingRises();
    const free = Math.min(count, room);
    if (!(free > 0)) return 0;
    const fit = fittingRecords(free, sizes, this.limits.byteLimit - outstandingBytes);
    // An empty pool lets a record pass that is larger than all its bytes, or it would wait for ever.
    return fit === 0 && outstanding === 0 ? 1 : fit;
  }

  private noteBegin(nowMs: number): void {
    if (this.ledger.outstanding === 0) this.slowStart?.began(nowMs);
  }

  private afterReturn(outstandingBefore: number): void {
    this.slowStart?.completed(this.clock.now(), outstandingBefore);
    this.wake();
  }

  private wake(): void {
    for (let head = this.waiters.head; head !== undefined; head = this.waiters.head) {
      const lot = this.grant(head.count, head.sizes, head.lane);
      if (lot === undefined) return this.wakeWhenCeilingRises();
      this.waiters.grantHead(lot);
    }
    if (this.onAvailable !== undefined) this.announce(this.onAvailable);
  }

  private announce(onAvailable: () => void): void {
    if (this.announcing !== 'no') {
      this.announcing = 'again';
      return;
    }
    try {
      do {
        this.announcing = 'once';
        if (this.grantable(1) > 0) onAvailable();
      } while (this.isAnnouncedAgain());
    } finally {
      this.announcing = 'no';
    }
  }

  private isAnnouncedAgain(): boolean {
    return this.announcing === 'again';
  }

  private cancelRise(): void {
    this.riseTimer?.cancel();
    this.riseTimer = undefined;
  }

  /** One timer at a time, and only while the ceiling is what holds credits back. */
  private wakeWhenCeilingRises(): void {
    const slowStart = this.slowStart;
    if (!slowStart?.active || this.riseTimer !== undefined) return;
    const nowMs = this.clock.now();
    if (slowStart.ceiling(nowMs) >= this.limits.limit) return;
    this.riseTimer = this.clock.setTimer(slowStart.risesInMs(nowMs), () => {
      this.riseTimer = undefined;
      this.wake();
    });
  }
}
