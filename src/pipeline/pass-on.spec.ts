import { BackPressureController } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import { backPressureOptions, stagesWith } from '../../test/support/back-pressure.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { makeRecords } from '../../test/support/ledger.js';
import { bytesOf, passOn } from './pass-on.js';
import type { PipelineRecord } from './record.js';
import type { Slice, Stage } from './stage.js';
import { WaitingLine } from './waiting-line.js';

/** Takes records and keeps their credits until told. */
class Next implements Stage {
  readonly id = 'IngressProcessing';
  readonly taken: PipelineRecord[] = [];
  readonly lots: Lot[] = [];
  readonly slices: Slice[] = [];

  connect(): void {}
  start(): void {}
  drain(): void {}
  stop(): void {}

  take(slice: Slice, lot: Lot): void {
    this.slices.push(slice);
    this.taken.push(...slice.records);
    this.lots.push(lot);
    for (const record of slice.records) record.verdict = { kind: 'accepted' };
  }
}

function setUp({ capacity = 10, lineCapacity = 100, keygen = 1000 } = {}) {
  const clock = new FakeClock();
  const controller = new BackPressureController(
    backPressureOptions({
      clock,
      stages: stagesWith({
        KeyGen: { capacity: keygen },
        IngressProcessing: { capacity, replenishPerSecond: 1_000_000 },
      }),
    }),
  );
  const meter = controller.meter('KeyGen');
  const line = new WaitingLine({
    stage: 'KeyGen',
    capacity: lineCapacity,
    maxSlices: 100,
    clock,
    meter,
  });
  const next = new Next();
  const pass = (
    count: number,
    more: { admitByMs?: number; signal?: AbortSignal } = {},
  ): { records: PipelineRecord[]; done: Promise<void> } => {
    const records = makeRecords(count, () => ({ sizeBytes: 10 }));
    const lot = controller.requestCredits('KeyGen', count, 10)!;
    const slice = { records, admitByMs: Infinity, ...more };
    return { records, done: passOn(slice, lot, next, { controller, clock, line }) };
  };
  const outstanding = (stage: string): number => controller.credits(stage).outstanding;
  return { clock, controller, line, next, pass, outstanding };
}

const verdicts = (records: readonly PipelineRecord[]): (string | undefined)[] =>
  records.map(({ verdict }) => verdict?.kind);

describe('passOn', () => {
  it('hands a slice on as it is, synchronously, while credits are there', async () => {
    const { next, pass, outstanding } = setUp();
    const { records, done } = pass(4);
    expect(next.slices).toHaveLength(1);
    expect(next.slices[0]?.records).toEqual(records);
    await done;
    expect(outstanding('KeyGen')).toBe(0);
    expect(outstanding('IngressProcessing')).toBe(4);
  });

  it('hands on the prefix that is granted and lets the rest wait', async () => {
    const { clock, next, pass, line, outstanding } = setUp({ capacity: 3 });
    const { records, done } = pass(7);
    expect(next.taken).toEqual(records.slice(0, 3));
    expect(line.waiting).toBe(4);
    expect(outstanding('KeyGen')).toBe(4);
    next.lots[0]?.release(2);
    await clock.advanceAsync(0);
    expect(next.taken).toEqual(records.slice(0, 5));
    next.lots[0]?.release();
    next.lots[1]?.release();
    await clock.advanceAsync(0);
    await done;
    expect(next.taken).toEqual(records);
    expect(line.waiting).toBe(0);
    expect(outstanding('KeyGen')).toBe(0);
  });

  it('lets no later slice pass between the parts of an earlier one (WL1)', async () => {
    const { clock, next, pass } = setUp({ capacity: 1 });
    const first = pass(3);
    const second = pass(2);
    const third = pass(1);
    for (let i = 0; i < 6; i += 1) {
      next.lots[i]?.release();
      await clock.advanceAsync(0);
    }
    await Promise.all([first.done, second.done, third.done]);
    expect(next.taken).toEqual([...first.records, ...second.records, ...third.records]);
  });

  it('refuses what has waited until its time, names the stage without room, and gives the credits back', async () => {
    const { clock, next, pass, line, outstanding } = setUp({ capacity: 2 });
    const { records, done } = pass(5, { admitByMs: 100 });
    await clock.advanceAsync(99);
    expect(verdicts(records.slice(2))).toEqual([undefined, undefined, undefined]);
    await clock.advanceAsync(1);
    await done;
    expect(verdicts(records)).toEqual(['accepted', 'accepted', 'refused', 'refused', 'refused']);
    expect(records[4]?.verdict).toMatchObject({
      error: { stage: 'IngressProcessing', signal: 'credit' },
    });
    expect(outstanding('KeyGen')).toBe(0);
    expect(line.waiting).toBe(0);
    expect(next.taken).toHaveLength(2);
  });

  it('refuses a slice whose time is up while another one has the turn', async () => {
    const { clock, pass, next } = setUp({ capacity: 1 });
    const held = pass(2);
    const late = pass(1, { admitByMs: 50 });
    await clock.advanceAsync(50);
    await late.done;
    expect(verdicts(late.records)).toEqual(['refused']);
    next.lots[0]?.release();
    await held.done;
    expect(verdicts(held.records)).toEqual(['accepted', 'accepted']);
  });

  it('refuses at once what comes too late for any wait', async () => {
    const { clock, pass } = setUp({ capacity: 1 });
    pass(1);
    const late = pass(1, { admitByMs: 0 });
    await clock.advanceAsync(0);
    await late.done;
    expect(verdicts(late.records)).toEqual(['refused']);
  });

  it('refuses a record whose caller has left', async () => {
    const { pass, outstanding } = setUp({ capacity: 1 });
    pass(1);
    const abort = new AbortController();
    const { records, done } = pass(1, { signal: abort.signal });
    abort.abort();
    await done;
    expect(verdicts(records)).toEqual(['refused']);
    expect(outstanding('KeyGen')).toBe(0);
  });

  it('refuses what finds no room in the line, as the waiting stage’s queue (WL2)', async () => {
    const { pass, line, outstanding } = setUp({ capacity: 1, lineCapacity: 2 });
    const { records } = pass(5, { admitByMs: 1000 });
    expect(verdicts(records)).toEqual(['accepted', undefined, undefined, 'refused', 'refused']);
    expect(records[4]?.verdict).toMatchObject({ error: { stage: 'KeyGen', signal: 'queue' } });
    expect(line.waiting).toBe(2);
    expect(outstanding('KeyGen')).toBe(2);
  });

  it('lets nobody wait when the line has no room at all', async () => {
    const { pass } = setUp({ capacity: 1, lineCapacity: 0 });
    const { records, done } = pass(2, { admitByMs: 1000 });
    await done;
    expect(verdicts(records)).toEqual(['accepted', 'refused']);
  });

  it('lets what its source holds wait though the line has no room (WL2)', async () => {
    const { pass, line, next } = setUp({ capacity: 1, lineCapacity: 0 });
    const { records, done } = pass(2, { admitByMs: Infinity });
    expect(line.waiting).toBe(1);
    next.lots[0]?.release();
    await done;
    expect(verdicts(records)).toEqual(['accepted', 'accepted']);
    expect(line.waiting).toBe(0);
  });

  it('refuses what waits when the controller stops', async () => {
    const { pass, controller, outstanding } = setUp({ capacity: 1 });
    const { records, done } = pass(2);
    controller.stop();
    await done;
    expect(verdicts(records)).toEqual(['accepted', 'refused']);
    expect(outstanding('KeyGen')).toBe(0);
  });

  it('gives back the bytes of exactly the records that went', () => {
    const records = makeRecords(3, (i) => ({ sizeBytes: i }));
    expect(bytesOf(records)).toBe(3);
  });
});
