import { Logger } from '@nestjs/common';
import { FakeClock } from '../../test/support/fake-clock.js';
import { JournalVacuum } from './journal-vacuum.js';

Logger.overrideLogger(false);

/** A database whose vacuum leaves `left` of 1,000 dead rows. */
function harness() {
  const clock = new FakeClock();
  const state = { left: 0, dead: 1_000, flushed: 0, runs: [] as number[], isBroken: false };
  const database = {
    query: <Rows>(text: string): Promise<Rows> => {
      if (state.isBroken) return Promise.reject(new Error('away'));
      if (text.startsWith('VACUUM')) {
        if (text.endsWith(' journal')) state.runs.push(clock.now());
        state.dead = state.left;
        return Promise.resolve([] as Rows);
      }
      return Promise.resolve([{ dead: state.dead }] as Rows);
    },
  };
  const vacuum = new JournalVacuum({ database, clock, flushedRecords: () => state.flushed });
  const work = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      state.flushed += 100;
      state.dead = Math.max(state.dead, 1_000);
      await clock.advanceAsync(1_000);
    }
  };
  return { clock, state, vacuum, work };
}

describe('JournalVacuum', () => {
  it('runs every 5 s while records are flushed, and not at all otherwise', async () => {
    const { clock, state, vacuum, work } = harness();
    vacuum.start();
    vacuum.start();
    await work(15_000);
    expect(state.runs).toEqual([5_000, 10_000, 15_000]);
    await clock.advanceAsync(60_000);
    expect(state.runs).toHaveLength(3);
    await vacuum.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('backs off up to a minute while dead rows stay, and returns to 5 s when they go', async () => {
    const { state, vacuum, work } = harness();
    vacuum.start();
    state.left = 900;
    await work(200_000);
    expect(state.runs).toEqual([5_000, 15_000, 35_000, 75_000, 135_000, 195_000]);
    state.left = 10;
    await work(65_000);
    expect(state.runs.slice(6)).toEqual([255_000, 260_000, 265_000]);
  });

  it('goes on after a failure', async () => {
    const { state, vacuum, work } = harness();
    vacuum.start();
    state.isBroken = true;
    await work(5_000);
    state.isBroken = false;
    await work(5_000);
    expect(state.runs).toEqual([10_000]);
  });
});
