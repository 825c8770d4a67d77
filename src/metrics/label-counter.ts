import type { Sample } from './copied-metric.js';

/** Labels come from closed sets; should one not, the process must not grow with it. */
const MAX_COMBINATIONS = 500;

/** Counts by labels, in plain fields. */
export class LabelCounter {
  private readonly counts = new Map<string, { labels: Record<string, string>; value: number }>();

  add(labels: Record<string, string>, count = 1): void {
    const key = Object.values(labels).join('\n');
    const known = this.counts.get(key);
    if (known !== undefined) known.value += count;
    else if (this.counts.size < MAX_COMBINATIONS) this.counts.set(key, { labels, value: count });
  }

  samples(): Iterable<Sample> {
    return this.counts.values();
  }
}
