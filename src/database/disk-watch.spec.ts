import { FakeClock } from '../../test/support/fake-clock.js';
import { DiskWatch, MIN_FREE_BYTES } from './disk-watch.js';

describe('DiskWatch', () => {
  const clock = new FakeClock();
  let free: number | Error;
  let seen: boolean[];
  let watch: DiskWatch;

  beforeEach(async () => {
    free = MIN_FREE_BYTES;
    seen = [];
    watch = new DiskWatch('/data', clock, () =>
      free instanceof Error ? Promise.reject(free) : Promise.resolve(free),
    );
    watch.on('low', (isLow) => seen.push(isLow));
    await watch.start();
  });
  afterEach(() => watch.stop());

  it('is content with exactly the minimum', () => {
    expect(watch.isLow).toBe(false);
    expect(seen).toEqual([]);
  });

  it('tells once when space runs out, and once when it is back', async () => {
    free = MIN_FREE_BYTES - 1;
    await clock.advanceAsync(15_000);
    expect(watch.isLow).toBe(true);
    free = MIN_FREE_BYTES;
    await clock.advanceAsync(5_000);
    expect(watch.isLow).toBe(false);
    expect(seen).toEqual([true, false]);
  });

  it('keeps its last answer while the disk can not be asked', async () => {
    free = MIN_FREE_BYTES - 1;
    await clock.advanceAsync(5_000);
    free = new Error('EIO');
    await clock.advanceAsync(5_000);
    expect(watch.isLow).toBe(true);
  });

  it('looks no more once it is stopped', async () => {
    watch.stop();
    free = 0;
    await clock.advanceAsync(20_000);
    expect(seen).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('can ask a real disk', async () => {
    const real = new DiskWatch(process.cwd(), clock);
    await real.start();
    real.stop();
    expect(typeof real.isLow).toBe('boolean');
  });
});
