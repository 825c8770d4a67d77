import { BoundedSemaphore, type Clock, type Permit, type WaitOptions } from '#libs/flow-control';
import type { SemaphoreSpec } from './back-pressure.options.js';

interface Named {
  readonly semaphore: BoundedSemaphore;
  readonly stage: string | undefined;
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
    const present = this.named.get(name);
    if (spec === undefined || present !== undefined) {
      if (present === undefined) throw new RangeError(`There is no semaphore "${name}"`);
      if (spec !== undefined) present.semaphore.resize(spec);
      return present.semaphore;
    }
    const { permits, queueCapacity, stage } = spec;
    const semaphore = new BoundedSemaphore({ name, permits, queueCapacity, clock: this.clock });
    this.named.set(name, { semaphore, stage });
    return semaphore;
  }

  /** As `acquire` of the semaphore. */
  async acquire(name: string, options: WaitOptions): Promise<Permit> {
    const semaphore = this.get(name);
    const stage = this.named.get(name)?.stage;
    if (stage === undefined) return semaphore.acquire(options);
    this.onWaiting(stage, 1);
    try {
      return await semaphore.acquire(options);
    } finally {
      this.onWaiting(stage, -1);
    }
  }

  close(): void {
    for (const { semaphore } of this.named.values()) semaphore.close();
  }
}
