import type { Clock, Timer } from './clock.js';

export interface WaitOptions {
  /** Ends the wait when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the wait after this long. */
  readonly timeoutMs?: number | undefined;
}

export interface WaiterQueueOptions<Request> {
  readonly clock: Clock;
  /** Called after a waiter gave up: the next head may want less than it did. */
  readonly onGaveUp: () => void;
  readonly timeoutError: (request: Request, waitedMs: number) => Error;
  readonly abortError: (request: Request, waitedMs: number, reason: unknown) => Error;
}

interface Waiter<Request, Grant> {
  readonly request: Request;
  readonly resolve: (grant: Grant) => void;
  readonly reject: (error: Error) => void;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
  timer: Timer | undefined;
  previous: Waiter<Request, Grant> | undefined;
  next: Waiter<Request, Grant> | undefined;
}

/**
 * The line in front of a pool or a semaphore.
 *
 * 1. First in, first out; only the head is ever granted.
 * 2. A waiter settles once. From then on it is out of the line, its timer is cancelled and its abort listener removed:
 *    who gave up never takes a grant.
 * 3. Every step is O(1), also giving up in the middle.
 *
 * The bound of the line is its owner's: check `size` before `add`.
 */
export class WaiterQueue<Request, Grant> {
  private first: Waiter<Request, Grant> | undefined;
  private last: Waiter<Request, Grant> | undefined;
  private length = 0;

  constructor(private readonly options: WaiterQueueOptions<Request>) {}

  get size(): number {
    return this.length;
  }

  /** What the head asks for. */
  get head(): Request | undefined {
    return this.first?.request;
  }

  /** Joins the end of the line. `signal` must not be aborted yet. */
  add(request: Request, { signal, timeoutMs }: WaitOptions): Promise<Grant> {
    const { clock, onGaveUp, timeoutError, abortError } = this.options;
    const sinceMs = clock.now();
    return new Promise((resolve, reject) => {
      // Left first: who gives up is not one of those ahead of itself.
      const giveUp = (error: (waitedMs: number) => Error): void => {
        this.leave(waiter);
        reject(error(clock.now() - sinceMs));
        onGaveUp();
      };
      const onAbort = (): void =>
        giveUp((waitedMs) => abortError(request, waitedMs, signal?.reason));
      const onTimeout = (): void => giveUp((waitedMs) => timeoutError(request, waitedMs));
      const waiter: Waiter<Request, Grant> = {
        request,
        resolve,
        reject,
        signal,
        onAbort,
        timer: timeoutMs === undefined ? undefined : clock.setTimer(timeoutMs, onTimeout),
        previous: this.last,
        next: undefined,
      };
      this.join(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Settles the head with its grant; does nothing on an empty line. */
  grantHead(grant: Grant): void {
    const waiter = this.first;
    if (waiter === undefined) return;
    this.leave(waiter);
    waiter.resolve(grant);
  }

  /** Ends every wait, in order. */
  rejectAll(error: () => Error): void {
    for (let waiter = this.first; waiter !== undefined; waiter = this.first) {
      this.leave(waiter);
      waiter.reject(error());
    }
  }

  private join(waiter: Waiter<Request, Grant>): void {
    if (this.last === undefined) this.first = waiter;
    else this.last.next = waiter;
    this.last = waiter;
    this.length += 1;
  }

  private leave(waiter: Waiter<Request, Grant>): void {
    const { previous, next } = waiter;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
    // A settled waiter that lives on in the old generation must not keep the later ones alive.
    waiter.previous = undefined;
    waiter.next = undefined;
    this.length -= 1;
    waiter.timer?.cancel();
    waiter.signal?.removeEventListener('abort', waiter.onAbort);
  }
}
