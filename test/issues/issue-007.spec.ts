import { asyncEgressOptions } from '../../src/async-egress/async-egress.options.js';
import { StageHarness } from '../support/stage-harness.js';

const { baseRetryDelayMs } = asyncEgressOptions.schema.parse({});
const FIVE_MINUTES_MS = 300_000;

async function busyFor(retryAfterMs: number): Promise<{ harness: StageHarness; calls: number[] }> {
  const calls: number[] = [];
  const harness = new StageHarness({
    definition: {
      egress: () => {
        calls.push(harness.clock.now());
        throw Object.assign(new Error('busy'), { status: 429, retryAfterMs });
      },
    },
  });
  await harness.start();
  await harness.accept([1]);
  return { harness, calls };
}

describe('a busy destination that says when to come back', () => {
  it.each([0, -5])(
    'is asked again after the shortest delay at the earliest, also for %d ms',
    async (retryAfterMs) => {
      const { harness, calls } = await busyFor(retryAfterMs);
      await harness.advance(10 * baseRetryDelayMs);
      expect(calls).toHaveLength(11);
      await harness.stop();
    },
  );

  it('is asked again after five minutes, however long it wants to be left alone', async () => {
    const { harness, calls } = await busyFor(Number.MAX_SAFE_INTEGER);
    await harness.advance(FIVE_MINUTES_MS);
    expect(calls).toHaveLength(2);
    await harness.stop();
  });
});
