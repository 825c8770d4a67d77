import { FakeClock } from '../../test/support/fake-clock.js';
import { Watchdog } from './watchdog.js';

/** A watchdog whose server answers, refuses or is silent. */
function harness() {
  const clock = new FakeClock();
  const away: string[] = [];
  const server = { answer: 'yes' as 'yes' | 'no' | 'silence', probes: 0 };
  const watchdog = new Watchdog({
    clock,
    probe: () => {
      server.probes += 1;
      if (server.answer === 'silence') return new Promise(() => undefined);
      return server.answer === 'yes' ? Promise.resolve() : Promise.reject(new Error('refused'));
    },
    onAway: (error) => away.push(error.message),
  });
  watchdog.start();
  return { clock, away, server, watchdog };
}

describe('Watchdog', () => {
  it('calls a silent server away 900 ms after a statement was sent (W1)', async () => {
    const { clock, away, server, watchdog } = harness();
    server.answer = 'silence';
    watchdog.watch();
    await clock.advanceAsync(899);
    expect(away).toEqual([]);
    await clock.advanceAsync(1);
    expect(away).toEqual(['The database gave no sign of life for 400 ms.']);
  });

  it('calls it away at once when the probe is refused', async () => {
    const { clock, away, server, watchdog } = harness();
    server.answer = 'no';
    watchdog.watch();
    await clock.advanceAsync(500);
    expect(away).toEqual(['refused']);
  });

  it('waits on while the server answers, and reports a stuck statement once (W2, W3)', async () => {
    const { clock, away, server, watchdog } = harness();
    let reports = 0;
    const watch = watchdog.watch(() => {
      reports += 1;
    });
    await clock.advanceAsync(4_999);
    expect(reports).toBe(0);
    await clock.advanceAsync(3_000);
    expect(reports).toBe(1);
    expect(away).toEqual([]);
    watch.done();
    const { probes } = server;
    await clock.advanceAsync(1_999);
    expect(server.probes - probes).toBeLessThanOrEqual(1);
  });

  it('says nothing about a statement that ended in time', async () => {
    const { clock, server, watchdog } = harness();
    watchdog.watch().done();
    await clock.advanceAsync(1_999);
    expect(server.probes).toBe(0);
  });

  it('asks every 2 s while nothing is under way (W4)', async () => {
    const { clock, away, server } = harness();
    await clock.advanceAsync(6_000);
    expect(server.probes).toBe(3);
    server.answer = 'silence';
    await clock.advanceAsync(2_400);
    expect(away).toHaveLength(1);
  });

  it('shares one probe among all statements, and tells once', async () => {
    const { clock, away, server, watchdog } = harness();
    server.answer = 'silence';
    for (let count = 0; count < 5; count += 1) watchdog.watch();
    await clock.advanceAsync(5_000);
    expect(server.probes).toBe(1);
    expect(away).toHaveLength(1);
  });

  it('ignores the answers of an earlier run', async () => {
    const { clock, away, server, watchdog } = harness();
    server.answer = 'silence';
    watchdog.watch();
    await clock.advanceAsync(600);
    server.answer = 'yes';
    watchdog.start();
    await clock.advanceAsync(10_000);
    expect(away).toEqual([]);
  });

  it('ends its timers when it is stopped', async () => {
    const { clock, away, server, watchdog } = harness();
    server.answer = 'silence';
    watchdog.watch();
    watchdog.stop();
    watchdog.stop();
    await clock.advanceAsync(5_000);
    expect(away).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
