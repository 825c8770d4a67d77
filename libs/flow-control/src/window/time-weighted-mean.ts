import type { Clock } from '../clock.js';

export interface TimeWeightedMeanOptions {
  readonly clock: Clock;
}

/**
 * Mean of a level over the time since the last `restart`, each value weighted by how long it stood:
 * a burst between two readings counts for its duration, which a reading of the last value would miss.
 * The level is 0 until the first `set` and survives a restart.
 */
export class TimeWeightedMean {
  readonly #clock: Clock;
  // Numbers from the start: a field that was once `undefined` boxes every later value.
  #level = 0;
  #changedMs = 0;
  #startedMs = 0;
  /** Level × ms up to the last change. */
  #area = 0;

  constructor({ clock }: TimeWeightedMeanOptions) {
    this.#clock = clock;
    this.restart();
  }

  set(level: number): void {
    const nowMs = this.#clock.now();
    this.#area += this.#level * (nowMs - this.#changedMs);
    this.#changedMs = nowMs;
    this.#level = level;
  }

  /** The current level while no time has passed since the restart. */
  mean(): number {
    const nowMs = this.#clock.now();
    const spanMs = nowMs - this.#startedMs;
    if (spanMs <= 0) return this.#level;
    return (this.#area + this.#level * (nowMs - this.#changedMs)) / spanMs;
  }

  restart(): void {
    this.#startedMs = this.#clock.now();
    this.#changedMs = this.#startedMs;
    this.#area = 0;
  }
}
