import { BackPressureController } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import { backPressureOptions, stagesWith } from '../../test/support/back-pressure.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { makeRecords } from '../../test/support/ledger.js';
import { type Backlog, HandOver } from './hand-over.js';
import type { PipelineRecord } from './record.js';
import type { Slice, Stage } from './stage.js';

class Next implements Stage {
  readonly id = 'FinalSink';
  readonly taken: PipelineRecord[] = [];
  readonly lots: Lot[] = [];

  connect(): void {}
  start(): void {}
  drain(): void {}
  stop(): void {}

  take({ records }: Slice, lot: Lot): void {
    this.taken.push(...records);
    this.lots.push(lot);
  }

  free(): void {
    for (const lot of this.lots.splice(0)) lot.release();
  }
}

class FakeBacklog implements Backlog {
  asked: number[] = [];
  constructor(private left: PipelineRecord[]) {}

  sizes(): readonly number[] {
    return this.left.map(({ sizeBytes }) => sizeBytes);
  }

  async next(count: number): Promise<readonly PipelineRecord[]> {
    this.asked.push(count);
    const records = this.left.slice(0, count);
    this.left = this.left.slice(count);
    return records.filter(({ key }) => key !== 'ended meanwhile');
  }
}

function setUp(capacity = 10) {
  const clock = new FakeClock();
  const controller = new BackPressureController(
    backPressureOptions({
      clock,
      stages: stagesWith({ FinalSink: { capacity, replenishPerSecond: 1_000_000 } }),
    }),
  );
  const next = new Next();
  const left: number[] = [];
  const handOver = new HandOver({
    next,
    controller,
    meter: controller.meter('AsyncEgress'),
    clock,
    onLeft: (count) => left.push(count),
  });
  const push = (count: number): PipelineRecord[] => {
    const records = makeRecords(count, () => ({ sizeBytes: 10 }));
    handOver.push(records, controller.requestCredits('AsyncEgress', count, 10)!);
    return records;
  };
  const outstanding = (stage: string): number => controller.credits(stage).outstanding;
  return { clock, controller, handOver, left, next, outstanding, push };
}

describe('HandOver', () => {
  it('moves records at once while the next stage grants, and gives their credits back after (H2)', async () => {
    const { clock, next, outstanding, push, left } = setUp();
    const records = push(4);
    await clock.advanceAsync(0);
    expect(next.taken).toEqual(records);
    expect(outstanding('AsyncEgress')).toBe(0);
    expect(outstanding('FinalSink')).toBe(4);
    expect(left).toEqual([4]);
  });

  it('takes one grant for all that is pushed before it moves (H4)', async () => {
    const { clock, next, push, left } = setUp();
    const records = [...push(1), ...push(2), ...push(1)];
    await clock.advanceAsync(0);
    expect(next.taken).toEqual(records);
    expect(next.lots).toHaveLength(1);
    expect(left).toEqual([4]);
  });

  it('keeps the order of push over partial grants (H1)', async () => {
    const { clock, next, outstanding, push, handOver } = setUp(3);
    const records = [...push(2), ...push(5), ...push(1)];
    await clock.advanceAsync(0);
    expect(handOver.waiting).toBe(5);
    expect(outstanding('AsyncEgress')).toBe(5);
    for (let i = 0; i < 3; i += 1) {
      next.free();
      await clock.advanceAsync(0);
    }
    expect(next.taken).toEqual(records);
    expect(outstanding('AsyncEgress')).toBe(0);
  });

  it('keeps its stage’s credits while the next stage has none: that is the pressure', async () => {
    const { clock, outstanding, push } = setUp(1);
    push(50);
    await clock.advanceAsync(60_000);
    expect(outstanding('AsyncEgress')).toBe(49);
  });

  it('gives a backlog the place at which it was queued', async () => {
    const { clock, handOver, next, push } = setUp(100);
    const before = push(2);
    const old = makeRecords(3, () => ({ sizeBytes: 10 }));
    handOver.queueBacklog(new FakeBacklog([...old]));
    const after = push(2);
    await clock.advanceAsync(0);
    expect(next.taken).toEqual([...before, ...old, ...after]);
    expect(handOver.waiting).toBe(0);
  });

  it('puts a second backlog behind what came before it', async () => {
    const { clock, handOver, next, push } = setUp(1);
    const held = push(2);
    const old = makeRecords(1, () => ({ sizeBytes: 10 }));
    handOver.queueBacklog(new FakeBacklog([...old]));
    const later = push(1);
    await clock.advanceAsync(0);
    expect(handOver.waiting).toBe(2);
    for (let i = 0; i < 5; i += 1) {
      next.free();
      await clock.advanceAsync(0);
    }
    expect(next.taken).toEqual([...held, ...old, ...later]);
  });

  it('loads a backlog as credits allow, and gives back those of records that ended meanwhile', async () => {
    const { clock, handOver, next, outstanding } = setUp(2);
    const old = makeRecords(5, (i) => ({
      sizeBytes: 10,
      key: i === 1 ? 'ended meanwhile' : undefined,
    }));
    const backlog = new FakeBacklog([...old]);
    handOver.queueBacklog(backlog);
    for (let i = 0; i < 5; i += 1) {
      await clock.advanceAsync(0);
      next.free();
    }
    expect(next.taken).toEqual(old.filter(({ key }) => key === undefined));
    expect(Math.max(...backlog.asked)).toBeLessThanOrEqual(2);
    expect(outstanding('FinalSink')).toBe(0);
  });

  it('moves thousands of records in requests of a bounded size', async () => {
    const { clock, controller, next, push, handOver } = setUp(2500);
    const hold = controller.requestCredits('FinalSink', 2500)!;
    const records = [...push(1500), ...push(1500)];
    hold.release();
    await clock.advanceAsync(5000);
    next.free();
    await clock.advanceAsync(5000);
    expect(next.taken).toEqual(records);
    expect(handOver.waiting).toBe(0);
  });

  it('moves nothing after a stop; what waits stays in the journal', async () => {
    const { clock, handOver, next, push, outstanding } = setUp(1);
    const [first] = push(2);
    await clock.advanceAsync(0);
    handOver.stop();
    next.free();
    await clock.advanceAsync(0);
    expect(next.taken).toEqual([first]);
    expect(outstanding('FinalSink')).toBe(0);
  });

  it('ends a backlog’s wait with a stop', async () => {
    const { clock, handOver, next, push } = setUp(1);
    push(1);
    handOver.queueBacklog(new FakeBacklog(makeRecords(2)));
    await clock.advanceAsync(0);
    handOver.stop();
    await clock.advanceAsync(0);
    expect(next.taken).toHaveLength(1);
  });
});
