import type { CircuitBreaker, Clock, Ticket, Timer } from '#libs/flow-control';

/** Who waits for leave to send. */
export interface GateWaiter {
  /** Leave may be had again: ask. */
  proceed(): void;
}

export interface SendGateOptions {
  /** Of the destination: no send while it is open. */
  readonly breaker: Pick<CircuitBreaker, 'tryCall' | 'retryInMs'>;
  /** Sends out at the same time, all lanes together. */
  readonly maxSends: number;
  readonly clock: Clock;
}

/** Leave to send, for all lanes of a producer: by the breaker and by a bound of sends. Lanes wait in FIFO order. */
export class SendGate {
  private readonly waiting = new Set<GateWaiter>();
  private out = 0;
  private timer: Timer | undefined;

  constructor(private readonly options: SendGateOptions) {}

  /** A ticket, to be given back with `left()`; or undefined, and the waiter is called once when it may ask again. */
  enter(waiter: GateWaiter): Ticket | undefined {
    const { breaker, maxSends } = this.options;
    const ticket = this.out < maxSends ? breaker.tryCall() : undefined;
    if (ticket !== undefined) {
      this.out += 1;
      return ticket;
    }
    this.waiting.add(waiter);
    this.arm();
    return undefined;
  }

  /** A send has settled, its ticket before it. */
  left(): void {
    this.out -= 1;
    this.wake();
  }

  stop(): void {
    this.timer?.cancel();
    this.waiting.clear();
  }

  private wake(): void {
    const waiters = Array.from(this.waiting);
    this.waiting.clear();
    for (const waiter of waiters) waiter.proceed();
  }

  /** Only the breaker's time needs a timer: whoever has leave wakes the others with `left()`. */
  private arm(): void {
    const { breaker, clock } = this.options;
    const delayMs = breaker.retryInMs();
    if (delayMs === 0) return;
    this.timer?.cancel();
    this.timer = clock.setTimer(delayMs, () => this.wake());
  }
}
