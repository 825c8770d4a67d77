import { BackPressureController } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import type { SourceSlice } from '#libs/kafka';
import { backPressureOptions, stagesWith } from '../../test/support/back-pressure.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { InMemoryAcknowledgments, InMemoryBooks } from '../../test/support/in-memory-ledger.js';
import { InFlight } from '../pipeline/in-flight.js';
import { Intake } from '../pipeline/intake.js';
import { Settlement } from '../pipeline/settlement.js';
import type { Slice, Stage } from '../pipeline/stage.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { gatewayOptions } from './gateway.options.js';
import { GatewayStage } from './gateway.stage.js';
import { KafkaIntake } from './kafka-intake.js';

const SIZES = [10, 10, 10, 10];

function setUp({ keygen = 100, pipeline = 10 } = {}) {
  const clock = new FakeClock();
  const controller = new BackPressureController(
    backPressureOptions({
      clock,
      stages: stagesWith({ Gateway: { capacity: 100 }, KeyGen: { capacity: keygen } }),
      pipeline: { capacity: pipeline, byteCapacity: 1e9 },
    }),
  );
  const runtime = new StageRuntime(controller, clock, () => 0.5);
  const gateway = new GatewayStage(gatewayOptions.schema.parse({}), runtime);
  const taken: { slice: Slice; lot: Lot }[] = [];
  gateway.connect({
    id: 'KeyGen',
    take: (slice: Slice, lot: Lot) => {
      for (const record of slice.records) record.verdict = { kind: 'accepted' };
      taken.push({ slice, lot });
    },
  } as Stage);
  const inFlight = new InFlight();
  const room = { isEnabled: true, free: 10 };
  const settlement = new Settlement(
    new InMemoryAcknowledgments(new InMemoryBooks()),
    inFlight,
    room,
    clock,
  );
  const intake = new Intake();
  const kafka = new KafkaIntake(gateway, runtime, settlement, intake, { name: 'test' });
  const outstanding = (pool: string): number => controller.credits(pool).outstanding;
  return { clock, controller, gateway, inFlight, intake, kafka, outstanding, taken };
}

function sliceOf(count: number): SourceSlice {
  const records = Array.from({ length: count }, (_, i) => {
    const value = Buffer.from(`${i}`);
    const bare = { timestampMs: 0, key: null, headers: undefined, sizeBytes: 10 };
    return { ...bare, offset: BigInt(i), value };
  });
  const completion = { done: () => undefined };
  return { topic: 't', incarnation: 1, partition: 0, records, completion };
}

describe('KafkaIntake', () => {
  it('takes a slice with the credits of one request, and shows its records in flight', async () => {
    const { clock, inFlight, kafka, outstanding, taken } = setUp();
    const grant = kafka.request(4, SIZES, 0)!;
    kafka.offer(sliceOf(4), grant);
    await clock.advanceAsync(0);
    expect(taken.map(({ slice }) => slice.records.map(({ id }) => id))).toEqual([
      ['t:0:0', 't:0:1', 't:0:2', 't:0:3'],
    ]);
    expect(taken[0]?.slice.admitByMs).toBe(Infinity);
    expect(inFlight.get('t:0:3')?.stage).toBe('Gateway');
    expect([outstanding('Gateway'), outstanding('pipeline')]).toEqual([0, 4]);
  });

  it('grants the prefix that fits, and nothing while nothing does', () => {
    const { kafka } = setUp({ pipeline: 3 });
    expect(kafka.request(4, SIZES, 0)?.count).toBe(3);
    expect(kafka.request(1, SIZES, 0)).toBeUndefined();
  });

  it('asks no second time for a lane that has a place in the line: it gets what that place was granted', async () => {
    const { clock, kafka } = setUp({ pipeline: 2 });
    const held = kafka.request(2, SIZES, 0);
    const { signal } = new AbortController();
    const waiting = kafka.wait(2, SIZES, 1, { signal, timeoutMs: 500 });
    await clock.advanceAsync(500);
    expect(await waiting).toBeUndefined();
    expect(kafka.request(2, SIZES, 1)).toBeUndefined();
    held?.release();
    await clock.advanceAsync(0);
    expect(kafka.request(2, SIZES, 1)?.count).toBe(2);
  });

  it('takes nothing while the disk is nearly full', async () => {
    const { clock, intake, kafka } = setUp();
    intake.close('storage-low', 'A sentence.');
    const { signal } = new AbortController();
    expect(kafka.request(1, SIZES, 0)).toBeUndefined();
    const inVain = kafka.wait(1, SIZES, 0, { signal, timeoutMs: 500 });
    await clock.advanceAsync(500);
    expect(await inVain).toBeUndefined();
    const waiting = kafka.wait(1, SIZES, 0, { signal, timeoutMs: 500 });
    intake.open('storage-low');
    await clock.advanceAsync(100);
    expect((await waiting)?.count).toBe(1);
  });

  it('has the headroom of the fuller of the two pools', () => {
    const { kafka } = setUp({ pipeline: 10 });
    expect(kafka.headroom()).toBe(1);
    kafka.request(4, SIZES, 0);
    expect(kafka.headroom()).toBeCloseTo(0.6);
  });

  it('leaves what a stop refuses to its offset, and gives the credits back (KI1)', async () => {
    const { clock, controller, inFlight, kafka, outstanding, taken } = setUp({ keygen: 1 });
    kafka.offer(sliceOf(3), kafka.request(3, SIZES, 0)!);
    await clock.advanceAsync(0);
    expect(taken).toHaveLength(1);
    controller.stop();
    await clock.advanceAsync(0);
    expect(inFlight.size).toBe(1);
    expect([outstanding('Gateway'), outstanding('pipeline')]).toEqual([0, 1]);
  });

  it('does not hold the drain of the Gateway: the source has waited already', async () => {
    const { clock, gateway, kafka } = setUp({ keygen: 1 });
    kafka.offer(sliceOf(3), kafka.request(3, SIZES, 0)!);
    await clock.advanceAsync(0);
    let hasDrained = false;
    void gateway.drain(clock.now() + 10_000).then(() => (hasDrained = true));
    await clock.advanceAsync(0);
    expect(hasDrained).toBe(true);
  });
});
