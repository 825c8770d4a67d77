import { backPressureOptions, stagesWith } from '../../../test/support/back-pressure.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { BackPressureController } from './back-pressure-controller.js';
import type { BackPressureOptions } from './back-pressure.options.js';

const ACKNOWLEDGMENT_MS = 500;
const UNREACHABLE = { moderate: 2, high: 3, critical: 4 };

/** FinalSink under a load without end; every record is acknowledged after 500 ms, at most 50 at a time. */
function saturate(options: Partial<BackPressureOptions>, seconds: number) {
  const clock = new FakeClock();
  const stages = stagesWith({ FinalSink: { capacity: 100, longestServiceMs: 10_000 } });
  const controller = new BackPressureController(backPressureOptions({ clock, stages, ...options }));
  // Half of this window would be less than what is in service.
  controller.resizeStage('FinalSink', { inServiceLimit: 50, window: 60 });
  const meter = controller.meter('FinalSink');
  controller.start();
  const waiting: { release(): void; sinceMs: number }[] = [];
  let running = 0;
  let delivered = 0;
  let load: 'on' | 'off' = 'on';
  const begin = (): void => {
    while (running < 50) {
      const record = waiting.shift();
      if (record === undefined) break;
      running += 1;
      clock.setTimer(ACKNOWLEDGMENT_MS, () => {
        running -= 1;
        delivered += 1;
        meter.completed(1, clock.now() - record.sinceMs);
        record.release();
        feed();
      });
    }
    meter.inService(running, 50);
    meter.queue(waiting.length);
  };
  const feed = (): void => {
    while (load === 'on') {
      const lot = controller.requestCredits('FinalSink', 1);
      if (lot === undefined) break;
      waiting.push({ release: () => lot.release(), sinceMs: clock.now() });
    }
    begin();
  };
  feed();
  clock.advance(seconds * 1000);
  return {
    clock,
    controller,
    delivered: () => delivered,
    endLoad: () => {
      load = 'off';
    },
  };
}

describe('a reaction', () => {
  it('costs queue, not throughput: goodput stays at 0.95 or more of that without reactions (L2, flaw 9)', () => {
    const on = saturate({}, 60);
    const off = saturate({ thresholds: UNREACHABLE }, 60);
    const sink = on.controller.getPipelineStatus().stages.at(-1);
    expect(sink?.creditFactor).toBe(0.5);
    expect(on.delivered()).toBeGreaterThanOrEqual(0.95 * off.delivered());
    expect(off.delivered()).toBeGreaterThan(5000);
  });

  it('ends with the load that caused it, in one interval of idleness (L2)', () => {
    const { controller, clock, endLoad } = saturate({}, 60);
    endLoad();
    // What is inside leaves within two services; then one whole interval without load.
    clock.advance(2 * ACKNOWLEDGMENT_MS);
    expect(controller.credits('FinalSink').outstanding).toBe(0);
    clock.advance(2 * 2000);
    expect(controller.getPipelineStatus().stages.at(-1)?.creditFactor).toBe(1);
    controller.stop();
  });
});
