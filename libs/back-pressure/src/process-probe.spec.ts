import { SystemClock } from '#libs/flow-control';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { until } from '../../../test/support/until.js';
import { SystemProbe } from './process-probe.js';

/** Keeps the event loop from turning, really. */
function block(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs);
}

const GIGABYTE = 2 ** 30;

describe('SystemProbe', () => {
  it('reads heap and resident memory as parts of their limits', () => {
    const probe = new SystemProbe(new SystemClock(), 64 * GIGABYTE);
    expect(probe.heapRatio()).toBeGreaterThan(0);
    expect(probe.heapRatio()).toBeLessThan(1);
    const large = probe.rssRatio();
    expect(large).toBeGreaterThan(0);
    expect(new SystemProbe(new SystemClock(), GIGABYTE).rssRatio()).toBeGreaterThan(32 * large);
  });

  it('measures against the memory of the machine when no limit is given', () => {
    const ratio = new SystemProbe(new SystemClock()).rssRatio();
    expect(ratio).toBeGreaterThan(0);
    expect(ratio).toBeLessThan(1);
  });

  it('sees a blocked event loop for at least one window, and forgets it after two', async () => {
    const clock = new FakeClock();
    const probe = new SystemProbe(clock);
    expect(probe.loopDelayP99Ms()).toBe(0);
    probe.start();
    probe.start();
    try {
      await until(() => {
        block(60);
        return probe.loopDelayP99Ms() > 30;
      });
      clock.advance(5000);
      expect(probe.loopDelayP99Ms()).toBeGreaterThan(30);
      expect(probe.loopDelayP99Ms()).toBeGreaterThan(30);
      clock.advance(5000);
      probe.loopDelayP99Ms();
      expect(probe.loopDelayP99Ms()).toBe(0);
    } finally {
      probe.stop();
    }
    expect(probe.loopDelayP99Ms()).toBe(0);
  });
});
