import { BackPressureController } from '../../libs/back-pressure/src/index.js';
import type { Lot } from '../../libs/flow-control/src/index.js';
import { backPressureOptions, stagesWith } from '../../test/support/back-pressure.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { makeRecord } from '../../test/support/ledger.js';
import type { TakenLetter } from '../dead-letters/redrive-entry.port.js';
import { InFlight } from './in-flight.js';
import type { PipelineRecord } from './record.js';
import { PipelineRedriveEntry } from './redrive-entry.js';
import type { Settlement } from './settlement.js';
import type { Slice, Stage } from './stage.js';
import { StageRuntime } from './stage-runtime.js';

const LETTER = { recordId: 'a', payload: Buffer.from('1'), partition: 9 } as TakenLetter;

function setUp(source: 'rest' | 'kafka' = 'rest') {
  const clock = new FakeClock();
  const stages = stagesWith({ Gateway: { capacity: 2 }, AsyncEgress: { capacity: 1 } });
  const controller = new BackPressureController(backPressureOptions({ clock, stages }));
  const inFlight = new InFlight();
  const left: PipelineRecord[] = [];
  const settlement = {
    inFlight,
    leave: (records: readonly PipelineRecord[]) => void left.push(...records),
  } as unknown as Settlement;
  const taken: { at: string; slice: Slice; lot: Lot }[] = [];
  const stage = (id: Stage['id']): Stage => ({
    id,
    connect: () => undefined,
    take: (slice, lot) => void taken.push({ at: id, slice, lot }),
    start: () => undefined,
    drain: () => undefined,
    stop: () => undefined,
  });
  const entry = new PipelineRedriveEntry({
    gateway: stage('Gateway'),
    afterIngress: stage('AsyncEgress'),
    records: {
      of: ({ recordId: id, partition }, credit) =>
        makeRecord({ id, source, partition, credit, sizeBytes: 1 }),
    },
    runtime: new StageRuntime(controller, clock, () => 0),
    settlement,
    partitions: 4,
  });
  const outstanding = (): Record<string, number> =>
    Object.fromEntries(
      ['pipeline', 'Gateway', 'AsyncEgress'].map((pool) => [
        pool,
        controller.credits(pool).outstanding,
      ]),
    );
  return { clock, controller, entry, taken, left, inFlight, outstanding };
}

describe('PipelineRedriveEntry', () => {
  const { signal } = new AbortController();
  const settledIn = async (promise: Promise<unknown>, clock: FakeClock, ms: number) => {
    let isSettled = false;
    void promise.finally(() => (isSettled = true)).catch(() => undefined);
    await clock.advanceAsync(ms);
    return isSettled;
  };

  it('takes a REST record on after IngressProcessing, with the credits of every record (RV1, RV2)', async () => {
    const { entry, taken, inFlight, outstanding } = setUp();
    const admission = await entry.admit(1, signal);
    expect(outstanding()).toEqual({ pipeline: 1, Gateway: 1, AsyncEgress: 0 });
    await expect(entry.enter(LETTER, admission, signal)).resolves.toBe(true);
    expect(taken).toMatchObject([{ at: 'AsyncEgress', slice: { admitByMs: Infinity } }]);
    expect(taken[0]!.lot.count).toBe(1);
    expect(outstanding()).toEqual({ pipeline: 1, Gateway: 0, AsyncEgress: 1 });
    expect(inFlight.get('a')).toBe(taken[0]!.slice.records[0]);
  });

  it('begins with a Kafka record at the Gateway, whose credit goes with it (RV2)', async () => {
    const { entry, taken, outstanding } = setUp('kafka');
    await entry.enter(LETTER, await entry.admit(1, signal), signal);
    expect(taken).toMatchObject([{ at: 'Gateway' }]);
    expect(outstanding()).toEqual({ pipeline: 1, Gateway: 1, AsyncEgress: 0 });
  });

  it('keeps the partition within those that are there', async () => {
    const { entry, taken } = setUp();
    await entry.enter(LETTER, await entry.admit(1, signal), signal);
    expect(taken[0]!.slice.records[0]!.partition).toBe(1);
  });

  it('passes nobody who waits at the entry (RV1)', async () => {
    const { clock, controller, entry } = setUp();
    const held = controller.tryAdmit(2)!;
    const waiting = controller.admit(2, { timeoutMs: Infinity });
    const admitted = entry.admit(1, signal);
    expect(await settledIn(admitted, clock, 200)).toBe(false);
    held.release();
    const first = await waiting;
    expect(await settledIn(admitted, clock, 200)).toBe(false);
    first.release();
    expect(await settledIn(admitted, clock, 100)).toBe(true);
  });

  it('passes nobody who waits for the stage it goes on to (RV1)', async () => {
    const { clock, controller, entry, taken } = setUp();
    const held = controller.requestCredits('AsyncEgress', 1)!;
    const waiting = controller.acquireCredits('AsyncEgress', 1);
    const entered = entry.enter(LETTER, await entry.admit(1, signal), signal);
    held.release();
    const first = await waiting;
    expect(await settledIn(entered, clock, 200)).toBe(false);
    expect(taken).toEqual([]);
    first.release();
    expect(await settledIn(entered, clock, 100)).toBe(true);
  });

  it('is not admitted while bulk is refused (RV1)', async () => {
    const { clock, controller, entry } = setUp();
    let admitsBulk = false;
    Object.defineProperty(controller, 'admitsBulk', { get: () => admitsBulk });
    const admitted = entry.admit(1, signal);
    expect(await settledIn(admitted, clock, 200)).toBe(false);
    admitsBulk = true;
    expect(await settledIn(admitted, clock, 100)).toBe(true);
  });

  it('gives every credit back when it is called off, or the record can not be made', async () => {
    const { controller, entry, outstanding, clock } = setUp();
    const held = controller.requestCredits('AsyncEgress', 1)!;
    const abort = new AbortController();
    const entered = entry.enter(LETTER, await entry.admit(1, signal), abort.signal);
    abort.abort(new Error('The pipeline stops.'));
    await expect(entered).rejects.toThrow('The pipeline stops.');
    held.release();
    expect(outstanding()).toEqual({ pipeline: 0, Gateway: 0, AsyncEgress: 0 });
    await expect(entry.admit(1, abort.signal)).rejects.toThrow('The pipeline stops.');
    expect(clock.pendingTimers).toBe(0);
    const broken = setUp();
    Object.assign(broken.entry['parts'].records, {
      of: () => {
        throw new SyntaxError('no JSON');
      },
    });
    const admission = await broken.entry.admit(1, signal);
    await expect(broken.entry.enter(LETTER, admission, signal)).rejects.toThrow('no JSON');
    expect(broken.outstanding()).toEqual({ pipeline: 0, Gateway: 0, AsyncEgress: 0 });
  });

  it('leaves a Kafka record that a stop has refused to its letter', async () => {
    const { controller, entry, left } = setUp('kafka');
    const refuse = (slice: Slice): void => {
      slice.records[0]!.verdict = {
        kind: 'refused',
        error: controller.refusal('KeyGen', 'credit'),
      };
    };
    entry['parts'].gateway.take = refuse;
    await entry.enter(LETTER, await entry.admit(1, signal), signal);
    expect(left.map(({ id }) => id)).toEqual(['a']);
  });
});
