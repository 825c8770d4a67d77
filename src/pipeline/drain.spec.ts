import { FakeClock } from '../../test/support/fake-clock.js';
import { drain } from './drain.js';

async function run(options: {
  inside: () => number;
  isWorking?: () => boolean;
  deadlineMs?: number;
}): Promise<{ clock: FakeClock; endedMs: () => number | undefined }> {
  const clock = new FakeClock();
  let ended: number | undefined;
  const { deadlineMs = 10_000, ...rest } = options;
  void drain({ clock, deadlineMs, ...rest }).then(() => (ended = clock.now()));
  return { clock, endedMs: () => ended };
}

describe('drain', () => {
  it('ends at once when nobody is inside', async () => {
    const { clock, endedMs } = await run({ inside: () => 0 });
    await clock.advanceAsync(0);
    expect(endedMs()).toBe(0);
  });

  it('waits while records leave', async () => {
    let inside = 10;
    const { clock, endedMs } = await run({ inside: () => inside });
    for (; inside > 0; inside -= 1) await clock.advanceAsync(500);
    await clock.advanceAsync(20);
    expect(endedMs()).toBeGreaterThanOrEqual(5000);
  });

  it('gives up on what does not move for a second', async () => {
    const { clock, endedMs } = await run({ inside: () => 3 });
    await clock.advanceAsync(2000);
    expect(endedMs()).toBe(1000);
  });

  it('waits for work that is under way, but never beyond its deadline', async () => {
    const { clock, endedMs } = await run({ inside: () => 3, isWorking: () => true });
    await clock.advanceAsync(9999);
    expect(endedMs()).toBeUndefined();
    await clock.advanceAsync(1);
    expect(endedMs()).toBe(10_000);
  });
});
