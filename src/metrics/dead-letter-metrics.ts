import { Injectable } from '@nestjs/common';
import { DeadLetterStore } from '../dead-letters/dead-letter-store.js';
import { CopiedMetric, type Sample } from './copied-metric.js';
import { DEAD_LETTER_METRICS } from './dead-letter-metric-definitions.js';
import { only } from './stage-samples.js';

type Readers = Readonly<Record<keyof typeof DEAD_LETTER_METRICS, () => Iterable<Sample>>>;

/** The metrics of dead letters. */
@Injectable()
export class DeadLetterMetrics {
  private written = 0;
  private redrives = 0;
  private redriven = 0;
  private returned = 0;
  private discarded = 0;

  constructor(store: DeadLetterStore) {
    const { events, counts } = store;
    events.on('added', (letters) => (this.written += letters));
    events.on('redrive', (letters) => (this.redrives += letters));
    events.on('redriven', (letters) => (this.redriven += letters));
    events.on('returned', (letters) => (this.returned += letters));
    events.on('discarded', (letters) => (this.discarded += letters));
    const readers: Readers = {
      letters: () => [
        { labels: { state: 'waiting' }, value: counts.waiting },
        { labels: { state: 'redriving' }, value: counts.redriving },
      ],
      capacity: () => only(counts.maxLetters),
      written: () => only(this.written),
      redrives: () => only(this.redrives),
      redriven: () => only(this.redriven),
      returned: () => only(this.returned),
      discarded: () => only(this.discarded),
    };
    for (const [name, definition] of Object.entries(DEAD_LETTER_METRICS)) {
      new CopiedMetric(definition, readers[name as keyof Readers]);
    }
  }
}
