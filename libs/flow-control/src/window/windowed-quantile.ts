import type { Clock } from '../clock.js';
import { LatencyHistogram } from './latency-histogram.js';

export interface WindowedQuantileOptions {
  readonly clock: Clock;
}

/** A histogram lives for two halves, so that a reading covers the last 5 to 10 s. */
const HALF_MS = 5000;

/**
 * Quantiles of the latencies of the last ~10 s. Every value goes into two histograms; every 5 s the elder is
 * emptied and becomes the younger. So a reading needs no merge and the window never starts empty.
 */
export class WindowedQuantile {
  readonly #clock: Clock;
  #elder = new LatencyHistogram();
  #younger = new LatencyHistogram();
  #half: number;

  constructor({ clock }: WindowedQuantileOptions) {
    this.#clock = clock;
    this.#half = Math.floor(clock.now() / HALF_MS);
  }

  record(valueMs: number): void {
    this.#expire();
    this.#elder.record(valueMs);
    this.#younger.record(valueMs);
  }

  /** Latency below which the share `q` (0..1) of the window lies; 0 when the window is empty. */
  quantile(q: number): number {
    this.#expire();
    return this.#elder.quantile(q);
  }

  #expire(): void {
    const half = Math.floor(this.#clock.now() / HALF_MS);
    if (half === this.#half) return;
    const emptied = this.#elder;
    emptied.reset();
    if (half - this.#half > 1) this.#younger.reset();
    this.#elder = this.#younger;
    this.#younger = emptied;
    this.#half = half;
  }
}
