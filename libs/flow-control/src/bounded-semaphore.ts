import type { Clock } from './clock.js';
import { PoolClosedError } from './errors/pool-closed.error.js';
import { SemaphoreFullError } from './errors/semaphore-full.error.js';
import { SemaphoreWaitAbortedError } from './errors/semaphore-wait-aborted.error.js';
import { SemaphoreWaitTimeoutError } from './errors/semaphore-wait-timeout.error.js';
import { requireCount } from './option-range.js';
import { type WaitOptions, WaiterQueue } from './waiter-queue.js';

export interface BoundedSemaphoreOptions {
  readonly name: string;
  /** How many may hold a permit at a time, at least 1. */
  readonly permits: number;
  /** How many may wait for one; 0 = nobody waits. */
  readonly queueCapacity: number;
  readonly clock: Clock;
}

export interface Permit {
  /** Gives the permit back, once; a later call is counted and changes nothing. */
  release(): void;
  /** Gives the permit back unless that is done. */
  [Symbol.dispose](): void;
}

export interface BoundedSemaphoreSnapshot {
  readonly name: string;
  readonly capacity: number;
  readonly inUse: number;
  readonly queued: number;
  readonly queueCapacity: number;
  /** Callers turned away because the queue was full. */
  readonly rejected: number;
  readonly doubleReleases: number;
}

/**
 * Permits inside a stage: how many may work at a time, and how many may wait for that.
 *
 * 1. No grant makes `inUse` exceed `capacity`; shrinking revokes nothing.
 * 2. Waiters are served first in, first out; `tryAcquire` never overtakes them.
 * 3. Nobody joins a full queue: `acquire` rejects at once.
 * 4. A permit comes back once, however often it is released.
 * 5. Who gave up (signal, deadline) has left the queue and takes no permit.
 */
export class BoundedSemaphore {
  private readonly name: string;
  private readonly clock: Clock;
  private readonly waiters: WaiterQueue<undefined, Permit>;
  private permits: number;
  private queueCapacity: number;
  private held = 0;
  private rejected = 0;
  private doubleReleases = 0;
  private state: 'open' | 'closed' = 'open';
  private readonly onRelease = (isFirst: boolean): void => this.takeBack(isFirst);

  constructor({ name, permits, queueCapacity, clock }: BoundedSemaphoreOptions) {
    requireCount(name, 'permits', permits, 1);
    requireCount(name, 'queueCapacity', queueCapacity, 0);
    this.name = name;
    this.clock = clock;
    this.permits = permits;
    this.queueCapacity = queueCapacity;
    this.waiters = new WaiterQueue({
      clock,
      onGaveUp: () => this.wake(),
      timeoutError: (_, waitedMs) => new SemaphoreWaitTimeoutError({ semaphore: name, waitedMs }),
      abortError: (_, waitedMs, reason) =>
        new SemaphoreWaitAbortedError({ semaphore: name, waitedMs, reason }),
    });
  }

  get capacity(): number {
    return this.permits;
  }

  get inUse(): number {
    return this.held;
  }

  get queued(): number {
    return this.waiters.size;
  }

  /** Never waits: `undefined` when all permits are taken, which they are as long as anybody waits. */
  tryAcquire(): Permit | undefined {
    if (this.state === 'closed' || this.held >= this.permits) return undefined;
    this.held += 1;
    return new SemaphorePermit(this.onRelease);
  }

  /**
   * Waits its turn. Rejects with SemaphoreFullError at once when the queue is full, with SemaphoreWaitTimeoutError,
   * SemaphoreWaitAbortedError or PoolClosedError later; then nothing is held.
   */
  async acquire(options: WaitOptions = {}): Promise<Permit> {
    const { signal } = options;
    if (this.state === 'closed') throw new PoolClosedError(this.name);
    if (signal?.aborted) {
      const { reason } = signal;
      throw new SemaphoreWaitAbortedError({ semaphore: this.name, waitedMs: 0, reason });
    }
    const permit = this.tryAcquire();
    if (permit !== undefined) return permit;
    if (this.waiters.size >= this.queueCapacity) throw this.fullError();
    return this.waiters.add(undefined, options);
  }

  /** Runs `fn` with a permit that comes back when it ends. `fn` may release it earlier. */
  async run<T>(fn: (permit: Permit) => Promise<T> | T, options?: WaitOptions): Promise<T> {
    const permit = await this.acquire(options);
    try {
      return await fn(permit);
    } finally {
      permit[Symbol.dispose]();
    }
  }

  /** Whole numbers, rounded down; never below one permit. Who waits already stays, also in a smaller queue. */
  resize({ permits = this.permits, queueCapacity = this.queueCapacity }): void {
    this.permits = Math.max(1, Math.floor(permits));
    this.queueCapacity = Math.max(0, Math.floor(queueCapacity));
    this.wake();
  }

  /** For good: waits reject with PoolClosedError, nothing is granted any more; what is held still comes back. */
  close(): void {
    this.state = 'closed';
    this.waiters.rejectAll(() => new PoolClosedError(this.name));
  }

  snapshot(): BoundedSemaphoreSnapshot {
    const { name, capacity, inUse, queued, queueCapacity, rejected, doubleReleases } = this;
    return { name, capacity, inUse, queued, queueCapacity, rejected, doubleReleases };
  }

  private takeBack(isFirst: boolean): void {
    if (!isFirst) {
      this.doubleReleases += 1;
      return;
    }
    this.held -= 1;
    this.wake();
  }

  private wake(): void {
    while (this.waiters.size > 0) {
      const permit = this.tryAcquire();
      if (permit === undefined) return;
      this.waiters.grantHead(permit);
    }
  }

  private fullError(): SemaphoreFullError {
    this.rejected += 1;
    const { name, capacity, queued } = this;
    return new SemaphoreFullError({ semaphore: name, capacity, queued });
  }
}

class SemaphorePermit implements Permit {
  private state: 'held' | 'released' = 'held';

  constructor(private readonly onRelease: (isFirst: boolean) => void) {}

  release(): void {
    const isFirst = this.state === 'held';
    this.state = 'released';
    this.onRelease(isFirst);
  }

  [Symbol.dispose](): void {
    if (this.state === 'held') this.release();
  }
}
