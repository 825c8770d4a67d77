import { Logger } from '@nestjs/common';
import type { Clock } from '#libs/flow-control';
import type { BestEffortSnapshot } from '../pipeline/destination/destinations.js';
import type { PipelineRecord } from '../pipeline/record.js';

export interface BestEffortOptions {
  /** Name of the sink. */
  readonly name: string;
  /** Records that may be on their way to it at a time. */
  readonly maxRecords: number;
  readonly clock: Clock;
}

/** Bytes that its records may hold when they have ended otherwise and no credit stands for them any more. */
const MAX_BYTES = 16 * 1_048_576;
/** Losses are told once in this time, with their number. */
const TELL_EVERY_MS = 60_000;

/**
 * The bound of a sink that is not required. Its records live on after their end, when their credits have gone back, so they
 * have a bound of their own.
 *
 * BE1 inside ≤ `maxRecords` and ≤ 16 MiB, but for a single record; what comes while there is no room is not offered to
 *     the sink.
 * BE2 every record is counted once: delivered, skipped or given up. A loss is logged, at most once a minute.
 */
export class BestEffort {
  private readonly logger = new Logger('FinalSink');
  private readonly counts = { delivered: 0, skipped: 0, givenUp: 0 };
  private inside = 0;
  private bytes = 0;
  private lostSince = 0;
  private toldAtMs = -Infinity;

  private maxRecords: number;

  constructor(private readonly options: BestEffortOptions) {
    this.maxRecords = options.maxRecords;
  }

  snapshot(): BestEffortSnapshot {
    return { ...this.counts };
  }

  resize(maxRecords: number): void {
    this.maxRecords = maxRecords;
  }

  /** Whether the record may be offered to the sink; then `delivered` or `gaveUp` is to be called for it. */
  tryEnter({ sizeBytes }: PipelineRecord): boolean {
    const isFull =
      this.inside >= this.maxRecords || (this.inside > 0 && this.bytes + sizeBytes > MAX_BYTES);
    if (isFull) {
      this.counts.skipped += 1;
      this.lost();
      return false;
    }
    this.inside += 1;
    this.bytes += sizeBytes;
    return true;
  }

  delivered(record: PipelineRecord): void {
    this.leave(record);
    this.counts.delivered += 1;
  }

  gaveUp(record: PipelineRecord): void {
    this.leave(record);
    this.counts.givenUp += 1;
    this.lost();
  }

  private leave({ sizeBytes }: PipelineRecord): void {
    this.inside -= 1;
    this.bytes -= sizeBytes;
  }

  private lost(): void {
    this.lostSince += 1;
    const nowMs = this.options.clock.now();
    if (nowMs - this.toldAtMs < TELL_EVERY_MS) return;
    const { name } = this.options;
    this.logger.warn(`Records that ${name}, which is not required, did not get: ${this.lostSince}`);
    this.toldAtMs = nowMs;
    this.lostSince = 0;
  }
}
