import {
  type Clock,
  type CreditPool,
  CreditWaitAbortedError,
  type Lot,
  PoolClosedError,
  type Sizes,
  WaiterQueue,
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

interface Asked {
  readonly count: number;
  readonly sizes: Sizes;
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
  private readonly waiters: WaiterQueue<Asked, Admission>;
  private state: 'open' | 'closed' = 'open';

  constructor(private readonly options: AdmissionQueueOptions) {
    const { clock, refusal } = options;
    this.waiters = new WaiterQueue({
      clock,
      onGaveUp: () => {
        this.told();
        this.serve();
      },
      timeoutError: () => refusal('credit'),
      abortError: ({ count }, waitedMs, reason) => this.abortedError(count, waitedMs, reason),
    });
  }

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
    if (signal?.aborted) throw this.abortedError(count, 0, signal.reason);
    const admission = this.tryAdmit(count, sizes);
    if (admission !== undefined) return admission;
    if (this.waiters.size >= this.options.capacity || timeoutMs <= 0) {
      throw this.options.refusal(timeoutMs <= 0 ? 'credit' : 'queue');
    }
    const admitted = this.waiters.add(
      { count, sizes },
      { signal, timeoutMs: timeoutMs === Infinity ? undefined : timeoutMs },
    );
    this.told();
    return admitted;
  }

  /** Serves the head, then the next; called whenever one of the pools has something to give. */
  readonly serve = (): void => {
    for (let head = this.waiters.head; head !== undefined; head = this.waiters.head) {
      const admission = this.grant(head.count, head.sizes);
      if (admission === undefined) return;
      this.waiters.grantHead(admission);
      this.told();
    }
  };

  /** For good: every wait rejects. */
  close(): void {
    this.state = 'closed';
    this.waiters.rejectAll(() => new PoolClosedError('admission'));
    this.told();
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

  private told(): void {
    this.options.onWaiting(this.waiters.size);
  }

  private abortedError(count: number, waitedMs: number, reason: unknown): CreditWaitAbortedError {
    const pool = this.options.entry.name;
    return new CreditWaitAbortedError({ pool, count, waitedMs, reason });
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
