import { BoundedSemaphore, type Clock, type Permit } from '#libs/flow-control';

export interface RoomWait {
  readonly signal?: AbortSignal;
  /** Infinity: as long as it takes. */
  readonly timeoutMs: number;
}

interface IngressBufferOptions {
  readonly capacity: number;
  /** Slices that may wait for their turn. */
  readonly maxSlices: number;
  readonly clock: Clock;
  readonly onLevel: (inside: number) => void;
}

/**
 * The bounded buffer of IngressProcessing: a place for each record from its validation until AsyncEgress has it.
 *
 * B1 0 ≤ inside; nobody enters beyond the capacity; each entered place is left once.
 * B2 slices enter first in, first out; one that found room for a part keeps its turn until the rest is in.
 */
export class IngressBuffer {
  private readonly turns: BoundedSemaphore;
  private capacity: number;
  private slices: number;
  private insideNow = 0;
  /** Of the slice whose turn it is. */
  private onRoom: (() => void) | undefined;

  constructor(private readonly options: IngressBufferOptions) {
    const { capacity, maxSlices, clock } = options;
    this.capacity = capacity;
    this.slices = maxSlices;
    this.turns = new BoundedSemaphore({
      name: 'IngressProcessing buffer',
      permits: 1,
      queueCapacity: maxSlices,
      clock,
    });
  }

  /** Who is inside stays, also in a smaller buffer. At least as many slices may wait as before: they may come yet. */
  resize(capacity: number, maxSlices: number): void {
    this.capacity = capacity;
    this.slices = Math.max(this.slices, maxSlices);
    this.turns.resize({ queueCapacity: this.slices });
    if (this.insideNow < capacity) this.onRoom?.();
  }

  get inside(): number {
    return this.insideNow;
  }

  /** The turn to enter, if nobody has it. */
  tryTurn(): Permit | undefined {
    return this.turns.tryAcquire();
  }

  /** Waits for the turn. Rejects when the time is up, the signal is aborted or too many wait. */
  turn({ signal, timeoutMs }: RoomWait): Promise<Permit> {
    return this.turns.acquire({
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === Infinity ? {} : { timeoutMs: Math.max(0, timeoutMs) }),
    });
  }

  /** Takes up to `count` places; returns how many. Only for the holder of the turn. */
  enter(count: number): number {
    const entered = Math.max(0, Math.min(count, this.capacity - this.insideNow));
    this.change(entered);
    return entered;
  }

  leave(count: number): void {
    this.change(-count);
    if (this.insideNow < this.capacity) this.onRoom?.();
  }

  /** Resolves as soon as a place is free: true, or false when the time is up or the signal is aborted. */
  room({ signal, timeoutMs }: RoomWait): Promise<boolean> {
    if (this.insideNow < this.capacity) return Promise.resolve(true);
    if (timeoutMs <= 0 || signal?.aborted === true) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer =
        timeoutMs === Infinity
          ? undefined
          : this.options.clock.setTimer(timeoutMs, () => settle(false));
      const settle = (hasRoom: boolean): void => {
        this.onRoom = undefined;
        timer?.cancel();
        signal?.removeEventListener('abort', leave);
        resolve(hasRoom);
      };
      const leave = (): void => settle(false);
      signal?.addEventListener('abort', leave, { once: true });
      this.onRoom = () => settle(true);
    });
  }

  private change(by: number): void {
    if (by === 0) return;
    this.insideNow += by;
    this.options.onLevel(this.insideNow);
  }
}
