import { totalmem } from 'node:os';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Clock } from '#libs/flow-control';

/** Readings of the process, raw. */
export interface ProcessProbe {
  start(): void;
  stop(): void;
  /** Heap used / heap limit. */
  heapRatio(): number;
  /** Resident memory / memory limit. */
  rssRatio(): number;
  /** 99th percentile of the event loop's delay over the last 5 to 10 s. */
  loopDelayP99Ms(): number;
}

const NANOSECONDS_PER_MS = 1e6;
/** The monitor's timer; its period is part of what it measures. */
const RESOLUTION_MS = 10;
const HALF_WINDOW_MS = 5000;

/**
 * The running process. The delay histogram is its own and has a fixed window: one that others reset, as a metrics
 * scrape does, would read 0 right after it. Two histograms, the elder is emptied every 5 s.
 */
export class SystemProbe implements ProcessProbe {
  private readonly memoryLimitBytes: number;
  private elder: IntervalHistogram | undefined;
  private younger: IntervalHistogram | undefined;
  private rotatedMs = 0;

  constructor(
    private readonly clock: Clock,
    memoryLimitBytes?: number,
  ) {
    this.memoryLimitBytes = memoryLimitBytes ?? totalmem();
  }

  start(): void {
    if (this.elder !== undefined) return;
    this.elder = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.younger = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.elder.enable();
    this.younger.enable();
    this.rotatedMs = this.clock.now();
  }

  stop(): void {
    this.elder?.disable();
    this.younger?.disable();
    this.elder = undefined;
    this.younger = undefined;
  }

  heapRatio(): number {
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    return used / limit;
  }

  rssRatio(): number {
    return process.memoryUsage.rss() / this.memoryLimitBytes;
  }

  loopDelayP99Ms(): number {
    if (this.elder === undefined || this.younger === undefined) return 0;
    const delayMs =
      this.elder.count === 0 ? 0 : this.elder.percentile(99) / NANOSECONDS_PER_MS - RESOLUTION_MS;
    this.rotate(this.elder, this.younger);
    return Math.max(0, delayMs);
  }

  private rotate(elder: IntervalHistogram, younger: IntervalHistogram): void {
    if (this.clock.now() - this.rotatedMs < HALF_WINDOW_MS) return;
    this.rotatedMs = this.clock.now();
    elder.reset();
    this.elder = younger;
    this.younger = elder;
  }
}
