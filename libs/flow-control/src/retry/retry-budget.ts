import type { Clock } from '../clock.js';
import { SlidingCounter } from '../window/sliding-window.js';

/**
 * Bounds what retries add to the load of one destination, so that a failing one is not kept down by them.
 *
 * Invariant G1: whenever a retry is granted, the retries of the last ten seconds, that one included, are at
 * most `ratio` × first attempts of these seconds + `minPerSecond` × 10. What ages out gives room again.
 */
export interface RetryBudgetOptions {
  /** Retries per first attempt. Default 0.2. */
  readonly ratio?: number;
  /** Retries a second that need no first attempts, so that an idle destination can be retried. Default 3. */
  readonly minPerSecond?: number;
  readonly clock: Clock;
}

export interface RetryBudgetSnapshot {
  /** In the last ten seconds. */
  readonly firstAttempts: number;
  /** Granted in the last ten seconds. */
  readonly retries: number;
  /** Retries that would be granted now. */
  readonly available: number;
  /** Refused since the start. */
  readonly refused: number;
}

const DEFAULT_RATIO = 0.2;
const DEFAULT_MIN_PER_SECOND = 3;
const WINDOW_SECONDS = 10;
/** A product such as 0.29 × 100 lies just below its whole number; it must not lose a retry by that. */
const ROUNDING = 1e-9;

export class RetryBudget {
  readonly #ratio: number;
  readonly #reserve: number;
  readonly #firstAttempts: SlidingCounter;
  readonly #retries: SlidingCounter;
  #refused = 0;

  constructor({
    ratio = DEFAULT_RATIO,
    minPerSecond = DEFAULT_MIN_PER_SECOND,
    clock,
  }: RetryBudgetOptions) {
    this.#ratio = ratio;
    this.#reserve = minPerSecond * WINDOW_SECONDS;
    this.#firstAttempts = new SlidingCounter({ clock });
    this.#retries = new SlidingCounter({ clock });
  }

  /** Counts `count` first attempts; they are never refused. */
  firstAttempt(count = 1): void {
    this.#firstAttempts.add(count);
  }

  /** Takes one retry from the budget; `false` and nothing taken when it is empty. */
  tryRetry(): boolean {
    if (this.#available() < 1) {
      this.#refused += 1;
      return false;
    }
    this.#retries.add(1);
    return true;
  }

  snapshot(): RetryBudgetSnapshot {
    return {
      firstAttempts: this.#firstAttempts.sum(),
      retries: this.#retries.sum(),
      available: Math.max(0, Math.floor(this.#available())),
      refused: this.#refused,
    };
  }

  #available(): number {
    const earned = Math.floor(this.#ratio * this.#firstAttempts.sum() + ROUNDING);
    return earned + this.#reserve - this.#retries.sum();
  }
}
