import {
  BoundedSemaphore,
  type Clock,
  LatencyHistogram,
  type Permit,
  type WaitOptions,
} from '#libs/flow-control';
import type { SemaphoreSpec } from './back-pressure.options.js';

interface Named {
  readonly semaphore: BoundedSemaphore;
  readonly stage: string | undefined;
  readonly waits: LatencyHistogram;
}

/** The semaphores of the request handlers, by name. Those who wait for a permit count into the queue of their stage. */
export class NamedSemaphores {
  private readonly named = new Map<string, Named>();

  constructor(
    private readonly clock: Clock,
    private readonly onWaiting: (stage: string, change: 1 | -1) => void,
  ) {}

  /** With a spec: makes the semaphore, or resizes the one there is. Without: a RangeError when there is none. */
  get(name: string, spec?: SemaphoreSpec): BoundedSemaphore {
    if (spec === undefined) return this.entry(name).semaphore;
    const present = this.named.get(name);
    if (present !== undefined) {
      present.semaphore.resize(spec);
      return present.semaphore;
    }
    const { permits, queueCapacity, stage } = spec;
    const semaphore = new BoundedSemaphore({ name, permits, queueCapacity, clock: this.clock });
    this.named.set(name, { semaphore, stage, waits: new LatencyHistogram() });
    return semaphore;
  }

  /** As `acquire` of the semaphore. */
  async acquire(name: string, options: WaitOptions): Promise<Permit> {
    const { semaphore, stage, waits } = this.entry(name);
    const free = options.signal?.aborted === true ? undefined : semaphore.tryAcquire();
    if (free !== undefined) return free;
    const sinceMs = this.clock.now();
    if (stage !== undefined) this.onWaiting(stage, 1);
    try {
      return await semaphore.acquire(options);
    } finally {
      waits.record(this.clock.now() - sinceMs);
      if (stage !== undefined) this.onWaiting(stage, -1);
    }
  }

  /** How long those waited who found no permit free, whatever came of it. */
  waits(name: string): LatencyHistogram {
    return this.entry(name).waits;
  }

  close(): void {
    for (const { semaphore } of this.named.values()) semaphore.close();
  }

  private entry(name: string): Named {
    const named = this.named.get(name);
    if (named === undefined) throw new RangeError(`There is no semaphore "${name}"`);
    return named;
  }
}
