import { Logger } from '@nestjs/common';
import { FakeClock } from '../../test/support/fake-clock.js';
import { KeyTrim } from './key-trim.js';

Logger.overrideLogger(false);

/** A database with `expired` keys; the times at which a step deleted some, or was refused. */
function harness(expired: number) {
  const clock = new FakeClock();
  const state = { expired, steps: [] as number[], isBroken: false };
  const database = {
    query: <Rows>(_text: string, values: unknown[] = []): Promise<Rows> => {
      state.steps.push(clock.now());
      if (state.isBroken) return Promise.reject(new Error('away'));
      const trimmed = Math.min(state.expired, Number(values[0]));
      state.expired -= trimmed;
      return Promise.resolve([{ trimmed }] as Rows);
    },
  };
  return { clock, state, trim: new KeyTrim(database, clock) };
}

describe('KeyTrim', () => {
  it('looks for expired keys once a minute', async () => {
    const { clock, state, trim } = harness(10);
    trim.start();
    trim.start();
    await clock.advanceAsync(120_000);
    expect(state.steps).toEqual([60_000, 120_000]);
    expect(state.expired).toBe(0);
  });

  it('deletes many of them in steps with a pause between them', async () => {
    const { clock, state, trim } = harness(12_000);
    trim.start();
    await clock.advanceAsync(61_000);
    expect(state.steps).toEqual([60_000, 60_250, 60_500]);
    expect(state.expired).toBe(0);
  });

  it('goes on after a step that failed', async () => {
    const { clock, state, trim } = harness(10);
    trim.start();
    state.isBroken = true;
    await clock.advanceAsync(60_000);
    state.isBroken = false;
    await clock.advanceAsync(60_000);
    expect(state.expired).toBe(0);
  });

  it('does nothing after a stop, and starts no more', async () => {
    const { clock, state, trim } = harness(10);
    trim.start();
    await trim.stop();
    trim.start();
    await clock.advanceAsync(120_000);
    expect(state.steps).toEqual([]);
  });
});
