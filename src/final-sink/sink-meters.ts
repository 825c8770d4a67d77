import type { StageMeter } from '#libs/back-pressure';

/** A meter for what the stage's pressure does not depend on. */
export const SILENT_METER: StageMeter = {
  queue: () => undefined,
  queueCapacity: () => undefined,
  inService: () => undefined,
  completed: () => undefined,
  failed: () => undefined,
  blocked: () => undefined,
};

/** What one of several sinks has reported last. */
interface Level {
  queue: number;
  running: number;
}

/**
 * The stage's one meter, for several sinks: the one that holds most is what the stage waits for, so its levels count.
 * Counts (completed, failed) add up.
 */
export class SinkMeters {
  private readonly levels: Level[] = [];

  constructor(private readonly meter: StageMeter) {}

  /** The meter of one more sink. */
  add(): StageMeter {
    const { meter, levels } = this;
    const level: Level = { queue: 0, running: 0 };
    levels.push(level);
    const highest = (field: keyof Level): number =>
      levels.reduce((most, each) => Math.max(most, each[field]), 0);
    return {
      queue: (queue) => {
        level.queue = queue;
        meter.queue(highest('queue'));
      },
      inService: (running, limit) => {
        level.running = running;
        meter.inService(highest('running'), limit);
      },
      queueCapacity: (capacity) => meter.queueCapacity(capacity),
      completed: (count, latencyMs) => meter.completed(count, latencyMs),
      failed: (count, cause) => meter.failed(count, cause),
      blocked: (isBlocked) => meter.blocked(isBlocked),
    };
  }
}
