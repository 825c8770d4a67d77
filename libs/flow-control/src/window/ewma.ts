import type { Clock } from '../clock.js';

export interface EwmaOptions {
  /** After this time a step in the samples has moved the value by 63 %. */
  readonly tauMs: number;
  readonly clock: Clock;
}

/**
 * Exponentially weighted mean by time: a sample that comes Δt after the one before has the weight
 * `1 − e^(−Δt / tauMs)`. The first sample is the value; without samples the value stays.
 *
 * Samples of the same instant have Δt = 0 and would be lost after the first of them, so they count
 * together, as their mean: a batch of completions weighs as much as one, in any order.
 */
export class Ewma {
  readonly #tauMs: number;
  readonly #clock: Clock;
  #value = 0;
  /** Value before the current instant, and the weight of that instant. */
  #before = 0;
  #weight = 1;
  #instantMs = NaN;
  #instantSum = 0;
  #instantCount = 0;

  constructor({ tauMs, clock }: EwmaOptions) {
    this.#tauMs = tauMs;
    this.#clock = clock;
  }

  /** 0 before the first sample. */
  get value(): number {
    return this.#value;
  }

  add(value: number): void {
    const nowMs = this.#clock.now();
    if (nowMs !== this.#instantMs) this.#openInstant(nowMs);
    this.#instantSum += value;
    this.#instantCount += 1;
    this.#value =
      this.#before + this.#weight * (this.#instantSum / this.#instantCount - this.#before);
  }

  /** Forgets every sample. */
  reset(): void {
    this.#value = 0;
    this.#instantMs = NaN;
  }

  #openInstant(nowMs: number): void {
    const isFirst = Number.isNaN(this.#instantMs);
    this.#weight = isFirst ? 1 : -Math.expm1((this.#instantMs - nowMs) / this.#tauMs);
    this.#before = this.#value;
    this.#instantMs = nowMs;
    this.#instantSum = 0;
    this.#instantCount = 0;
  }
}
