import { backPressureOptions, stagesWith } from '../../../test/support/back-pressure.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { BackPressureController } from './back-pressure-controller.js';

function setUp({ gateway = 10, pipeline = 10, bytes = 1e9, queueCapacity = 3, waitMs = 200 } = {}) {
  const clock = new FakeClock();
  const controller = new BackPressureController(
    backPressureOptions({
      clock,
      stages: stagesWith({ Gateway: { capacity: gateway } }),
      pipeline: { capacity: pipeline, byteCapacity: bytes },
      admission: { queueCapacity, waitMs },
    }),
  );
  const outstanding = (): number[] =>
    ['Gateway', 'pipeline'].map((pool) => controller.credits(pool).outstanding);
  return { clock, controller, outstanding };
}

describe('admission', () => {
  it('takes a Gateway and a pipeline credit in one step, the shorter prefix', () => {
    const { controller, outstanding } = setUp({ gateway: 10, pipeline: 6 });
    const admission = controller.tryAdmit(8);
    expect(admission?.count).toBe(6);
    expect([admission?.gateway.count, admission?.pipeline.count]).toEqual([6, 6]);
    expect(outstanding()).toEqual([6, 6]);
  });

  it('takes neither when one of them is used up', () => {
    const { controller, outstanding } = setUp({ gateway: 1, pipeline: 10 });
    controller.tryAdmit(1);
    expect(controller.tryAdmit(1)).toBeUndefined();
    expect(outstanding()).toEqual([1, 1]);
  });

  it('bounds the pipeline by bytes as well', () => {
    const { controller } = setUp({ bytes: 1000 });
    expect(controller.tryAdmit(3, [400, 500, 200])?.count).toBe(2);
  });

  it('gives back what is left of both, once', () => {
    const { controller, outstanding } = setUp();
    const admission = controller.tryAdmit(4);
    admission?.gateway.release(4);
    admission?.pipeline.release(1);
    admission?.release();
    admission?.release();
    expect(outstanding()).toEqual([0, 0]);
    expect(controller.credits('pipeline').surplus).toBe(0);
  });

  it('admits at once while there is room', async () => {
    const { controller } = setUp();
    expect((await controller.admit(2)).count).toBe(2);
  });

  it('serves those who wait in the order of coming, whichever pool gives room, and lets nobody pass by', async () => {
    const { controller } = setUp({ gateway: 100, pipeline: 2 });
    const held = controller.tryAdmit(2);
    const order: string[] = [];
    const first = controller.admit(2).then(({ count }) => order.push(`first ${count}`));
    const second = controller.admit(1).then(({ count }) => order.push(`second ${count}`));
    expect(controller.tryAdmit(1)).toBeUndefined();
    held?.pipeline.release(1);
    expect(controller.tryAdmit(1)).toBeUndefined();
    held?.pipeline.release(1);
    await Promise.all([first, second]);
    expect(order).toEqual(['first 1', 'second 1']);
  });

  it('serves a head that waits for bytes as soon as they fit', async () => {
    const { controller } = setUp({ bytes: 1000 });
    const held = controller.tryAdmit(2, 450);
    const wait = controller.admit(1, { sizes: 200 });
    held?.pipeline.release(1);
    expect((await wait).pipeline.bytes).toBe(200);
  });

  it('refuses at once when the line is full', async () => {
    const { controller } = setUp({ gateway: 1, queueCapacity: 1 });
    controller.tryAdmit(1);
    const waits = controller.admit(1).catch(() => undefined);
    await expect(controller.admit(1)).rejects.toMatchObject({
      code: 'BP_CAPACITY_EXHAUSTED',
      signal: 'queue',
    });
    controller.stop();
    await waits;
  });

  it('refuses after the deadline, of the caller or the configured one', async () => {
    const { controller, clock } = setUp({ gateway: 1, waitMs: 70 });
    controller.tryAdmit(1);
    const configured = controller.admit(1);
    const own = controller.admit(1, { timeoutMs: 30 });
    clock.advance(30);
    await expect(own).rejects.toMatchObject({ signal: 'credit' });
    clock.advance(40);
    await expect(configured).rejects.toMatchObject({ signal: 'credit' });
    await expect(controller.admit(1, { timeoutMs: 0 })).rejects.toMatchObject({ signal: 'credit' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits without a timer for who waits as long as it takes', async () => {
    const { controller, clock } = setUp({ gateway: 1 });
    const held = controller.tryAdmit(1);
    const waiting = controller.admit(1, { timeoutMs: Infinity });
    expect(clock.pendingTimers).toBe(0);
    clock.advance(1e9);
    held?.release();
    expect((await waiting).count).toBe(1);
  });

  it('lets a caller go who has left, and serves who stood behind it', async () => {
    const { controller, outstanding } = setUp({ bytes: 1000 });
    const held = controller.tryAdmit(1, 600);
    const leaving = new AbortController();
    const large = controller.admit(1, { sizes: 900, signal: leaving.signal });
    const small = controller.admit(1, { sizes: 300 });
    leaving.abort(new Error('gone'));
    await expect(large).rejects.toMatchObject({ code: 'FC_CREDIT_WAIT_ABORTED' });
    (await small).release();
    held?.release();
    expect(outstanding()).toEqual([0, 0]);
  });

  it('does not begin to wait for a caller who has left already', async () => {
    const { controller } = setUp();
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(controller.admit(1, { signal })).rejects.toMatchObject({
      code: 'FC_CREDIT_WAIT_ABORTED',
    });
  });

  it('lets recovered records go first: they wait for the pipeline alone, nobody enters before', async () => {
    const { controller } = setUp({ pipeline: 2 });
    const held = controller.tryAdmit(2);
    const waiting = controller.admit(1);
    const recovered = controller.acquirePipelineCredits(1, { sizes: 100 });
    held?.pipeline.release(1);
    expect((await recovered).bytes).toBe(100);
    held?.pipeline.release(1);
    expect((await waiting).count).toBe(1);
  });

  it('serves the line as the ceiling rises after a stall', async () => {
    const { controller, clock } = setUp({ gateway: 1000, pipeline: 1000, waitMs: 60_000 });
    controller.stalled('Gateway', true);
    controller.stalled('Gateway', false);
    controller.tryAdmit(1);
    const waiting = controller.admit(5);
    clock.advance(20);
    expect((await waiting).count).toBe(1);
  });
});
