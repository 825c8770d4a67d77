import {
  type Clock,
  type CreditPool,
  CreditWaitAbortedError,
  type Lot,
  PoolClosedError,
  type Sizes,
  type Timer,
} from '#libs/flow-control';

/** The right of `count` records to enter: a credit of the entry stage and one of the pipeline for each. */
export interface Admission {
  /** Records admitted: the prefix of those asked for. */
  readonly count: number;
  readonly gateway: Lot;
  readonly pipeline: Lot;
  /** Gives back what is left of both lots. Idempotent. */
  release(): void;
}

export interface AdmitOptions {
  readonly sizes?: Sizes;
  readonly signal?: AbortSignal;
  /** Infinity: as long as it takes, without a timer. */
  readonly timeoutMs?: number;
}

export interface AdmissionQueueOptions {
  readonly entry: CreditPool;
  readonly pipeline: CreditPool;
  readonly capacity: number;
  readonly waitMs: number;
  readonly clock: Clock;
  /** The line has grown or shrunk. */
  readonly onWaiting: (waiting: number) => void;
  /** Why a caller is turned away: the line is full, or it waited in vain. */
  readonly refusal: (signal: 'queue' | 'credit') => Error;
}

interface Waiter {
  readonly count: number;
  readonly sizes: Sizes;
  /** Ends the wait: out of the line, timer and listener gone. */
  readonly leave: () => void;
  readonly resolve: (admission: Admission) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The line at the entry, over two pools at once.
 *
 * 1. A grant takes both credits in one step, the shorter prefix, or nothing: no half of an admission is ever held.
 * 2. First in, first out; while somebody waits nobody passes by (`tryAdmit` gives nothing).
 * 3. The line is bounded; who comes to a full one is refused at once.
 * 4. A waiter settles once and takes nothing after it gave up.
 */
export class AdmissionQueue {
  private readonly waiters = new Set<Waiter>();
  private state: 'open' | 'closed' = 'open';

  constructor(private readonly options: AdmissionQueueOptions) {}

  get waiting(): number {
    return this.waiters.size;
  }

  /** Never waits. */
  tryAdmit(count: number, sizes: Sizes = 0): Admission | undefined {
    return this.waiters.size > 0 ? undefined : this.grant(count, sizes);
  }

  /** Waits in line; rejects with the refusal, CreditWaitAbortedError or PoolClosedError. */
  async admit(count: number, options: AdmitOptions = {}): Promise<Admission> {
    const { sizes = 0, signal, timeoutMs = this.options.waitMs } = options;
    if (this.state === 'closed') throw new PoolClosedError('admission');
    if (signal?.aborted) throw this.abortedError(count, 0, signal);
    const admission = this.tryAdmit(count, sizes);
    if (admission !== undefined) return admission;
    if (this.waiters.size >= this.options.capacity || timeoutMs <= 0) {
      throw this.options.refusal(timeoutMs <= 0 ? 'credit' : 'queue');
    }
    return this.join(count, sizes, timeoutMs, signal);
  }

  /** Serves the head, then the next; called whenever one of the pools has something to give. */
  readonly serve = (): void => {
    for (const waiter of this.waiters) {
      const admission = this.grant(waiter.count, waiter.sizes);
      if (admission === undefined) return;
      waiter.resolve(admission);
      waiter.leave();
    }
  };

  /** For good: every wait rejects. */
  close(): void {
    this.state = 'closed';
    for (const waiter of this.waiters) {
      waiter.leave();
      waiter.reject(new PoolClosedError('admission'));
    }
  }

  private grant(count: number, sizes: Sizes): Admission | undefined {
    const { entry, pipeline } = this.options;
    const free = Math.min(pipeline.grantable(count, sizes), entry.grantable(count, sizes));
    if (free === 0) return undefined;
    // No await since the question, so both give what they said.
    const whole = pipeline.request(free, sizes);
    const gateway = entry.request(free, sizes);
    return whole && gateway && new GrantedAdmission(free, gateway, whole);
  }

  private join(
    count: number,
    sizes: Sizes,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Admission> {
    const { clock, refusal } = this.options;
    const sinceMs = clock.now();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.waiters.delete(waiter);
        this.options.onWaiting(this.waiters.size);
      };
      // Left first: who is refused is not one of those ahead of itself.
      const giveUp = (error: () => Error): void => {
        leave();
        reject(error());
        this.serve();
      };
      const onAbort = (): void =>
        giveUp(() => this.abortedError(count, clock.now() - sinceMs, signal));
      const timer: Timer | undefined =
        timeoutMs === Infinity
          ? undefined
          : clock.setTimer(timeoutMs, () => giveUp(() => refusal('credit')));
      const waiter: Waiter = { count, sizes, leave, resolve, reject };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.waiters.add(waiter);
      this.options.onWaiting(this.waiters.size);
    });
  }

  private abortedError(
    count: number,
    waitedMs: number,
    signal: AbortSignal | undefined,
  ): CreditWaitAbortedError {
    return new CreditWaitAbortedError({
      pool: this.options.entry.name,
      count,
      waitedMs,
      reason: signal?.reason,
    });
  }
}

class GrantedAdmission implements Admission {
  constructor(
    readonly count: number,
    readonly gateway: Lot,
    readonly pipeline: Lot,
  ) {}

  release(): void {
    this.gateway[Symbol.dispose]();
    this.pipeline[Symbol.dispose]();
  }
}
