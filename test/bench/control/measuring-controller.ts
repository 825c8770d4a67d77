import { BackPressureController, type StageMeter } from '#libs/back-pressure';
import { LatencyHistogram } from '#libs/flow-control';

/** The real controller, which also keeps the distribution of each stage's latencies. For no run that is timed. */
export class MeasuringController extends BackPressureController {
  readonly latencies = new Map<string, LatencyHistogram>();

  override meter(stage: string): StageMeter {
    const meter = super.meter(stage);
    const latency = this.latencies.get(stage) ?? new LatencyHistogram();
    this.latencies.set(stage, latency);
    return {
      queue: (level) => meter.queue(level),
      queueCapacity: (capacity) => meter.queueCapacity(capacity),
      inService: (running, limit) => meter.inService(running, limit),
      failed: (count, cause) => meter.failed(count, cause),
      blocked: (isBlocked) => meter.blocked(isBlocked),
      completed: (count, latencyMs) => {
        latency.record(latencyMs, count);
        meter.completed(count, latencyMs);
      },
    };
  }
}
