import { BackPressureController } from '#libs/back-pressure';
import { backPressureOptions, stagesWith } from '../../test/support/back-pressure.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { AdmissionPlaces } from './admission-places.js';

const LANE = 7;

function setUp({ pipeline = 2, queueCapacity = 3 } = {}) {
  const clock = new FakeClock();
  const controller = new BackPressureController(
    backPressureOptions({
      clock,
      stages: stagesWith({ Gateway: { capacity: 100 } }),
      pipeline: { capacity: pipeline, byteCapacity: 1e9 },
      admission: { queueCapacity },
    }),
  );
  const places = new AdmissionPlaces(controller, clock);
  const leaving = new AbortController();
  const wait = (count = 1, lane = LANE) =>
    places.wait(lane, { count, sizes: [1, 1, 1], signal: leaving.signal, timeoutMs: 500 });
  const outstanding = (): number => controller.credits('pipeline').outstanding;
  return { clock, controller, places, leaving, wait, outstanding };
}

describe('AdmissionPlaces', () => {
  it('waits for a slice of time, and keeps its place in the line meanwhile (AP1)', async () => {
    const { clock, controller, wait, places } = setUp();
    const held = controller.tryAdmit(2);
    const first = wait();
    await clock.advanceAsync(500);
    expect(await first).toBeUndefined();
    expect(places.has(LANE)).toBe(true);
    const behind = controller.admit(1);
    const second = wait();
    held?.release();
    expect((await second)?.count).toBe(1);
    expect((await behind).count).toBe(1);
    expect(places.has(LANE)).toBe(false);
  });

  it('keeps what was granted between two questions for the next one, once (AP2)', async () => {
    const { clock, controller, wait, places } = setUp();
    const held = controller.tryAdmit(2);
    const first = wait();
    await clock.advanceAsync(500);
    await first;
    held?.release();
    await clock.advanceAsync(0);
    expect(places.claim(LANE, 1)?.count).toBe(1);
    expect(places.claim(LANE, 1)).toBeUndefined();
  });

  it('gives back a grant that nobody asks for any more (AP2)', async () => {
    const { clock, controller, wait, leaving, places, outstanding } = setUp();
    const held = controller.tryAdmit(2);
    const first = wait();
    await clock.advanceAsync(500);
    await first;
    held?.release();
    await clock.advanceAsync(0);
    expect(outstanding()).toBe(1);
    leaving.abort();
    expect(outstanding()).toBe(0);
    expect(places.has(LANE)).toBe(false);
  });

  it('leaves the line when its signal is aborted', async () => {
    const { clock, controller, wait, leaving, outstanding } = setUp();
    const held = controller.tryAdmit(2);
    const waiting = wait();
    leaving.abort();
    await clock.advanceAsync(20);
    expect(await waiting).toBeUndefined();
    held?.release();
    expect(outstanding()).toBe(0);
  });

  it('gives back a grant of more records than there are now', async () => {
    const { clock, controller, wait, places, outstanding } = setUp();
    const held = controller.tryAdmit(2);
    const first = wait(2);
    await clock.advanceAsync(500);
    await first;
    held?.release();
    await clock.advanceAsync(0);
    expect(places.claim(LANE, 1)).toBeUndefined();
    expect(outstanding()).toBe(0);
  });

  it('tries again, without a busy loop, while the line is full', async () => {
    const { clock, controller, wait } = setUp({ queueCapacity: 1 });
    const held = controller.tryAdmit(2);
    const first = controller.admit(1, { timeoutMs: 100 }).catch(() => 'refused');
    const waiting = wait();
    await clock.advanceAsync(110);
    expect(await first).toBe('refused');
    held?.release();
    await clock.advanceAsync(20);
    expect((await waiting)?.count).toBe(1);
  });

  it('gives up at the end of its time when the line stays full or is closed', async () => {
    const { clock, controller, wait } = setUp();
    controller.stop();
    const waiting = wait();
    await clock.advanceAsync(500);
    expect(await waiting).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });
});
