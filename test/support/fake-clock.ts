import type { Clock, Timer } from '../../libs/flow-control/src/clock.js';

interface FakeTimer extends Timer {
  readonly dueMs: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** 2026-01-01T00:00:00Z */
const DEFAULT_WALL_START_MS = Date.UTC(2026, 0, 1);

const flushMicrotasks = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A clock that moves only when told. Timers fire in order of their due time, then of their setting. */
export class FakeClock implements Clock {
  private nowMs = 0;
  private pending = 0;
  /** By due time; a cancelled timer stays until its turn. */
  private readonly timers: FakeTimer[] = [];

  constructor(private readonly wallStartMs = DEFAULT_WALL_START_MS) {}

  get pendingTimers(): number {
    return this.pending;
  }

  now(): number {
    return this.nowMs;
  }

  wallNow(): number {
    return Math.floor(this.wallStartMs + this.nowMs);
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer: FakeTimer = {
      dueMs: this.nowMs + Math.max(0, delayMs),
      callback,
      cancelled: false,
      cancel: () => {
        if (!timer.cancelled) this.pending -= 1;
        timer.cancelled = true;
      },
    };
    this.timers.splice(this.insertionIndex(timer.dueMs), 0, timer);
    this.pending += 1;
    return timer;
  }

  /** Fires what is due within the next `ms`, also what those callbacks set, and ends at now + ms. */
  advance(ms: number): void {
    const targetMs = this.nowMs + ms;
    while (this.fireNext(targetMs));
    this.nowMs = targetMs;
  }

  /** The same, with every pending microtask run before the first, between and after the timers. */
  async advanceAsync(ms: number): Promise<void> {
    const targetMs = this.nowMs + ms;
    do await flushMicrotasks();
    while (this.fireNext(targetMs));
    this.nowMs = targetMs;
  }

  private insertionIndex(dueMs: number): number {
    let low = 0;
    let high = this.timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.timers[middle];
      if (other !== undefined && other.dueMs <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private fireNext(targetMs: number): boolean {
    while (this.timers[0]?.cancelled) this.timers.shift();
    const [timer] = this.timers;
    if (timer === undefined || timer.dueMs > targetMs) return false;
    this.timers.shift();
    // A fired timer counts as cancelled: a later cancel() does nothing.
    timer.cancel();
    this.nowMs = timer.dueMs;
    timer.callback();
    return true;
  }
}
