import type { Lot } from '#libs/flow-control';
import { backPressureOptions, stagesWith } from '../../../test/support/back-pressure.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import type { Admission } from './admission-queue.js';
import { BackPressureController } from './back-pressure-controller.js';

const TICK_MS = 10;
const PASSING = ['KeyGen', 'IngressProcessing', 'AsyncEgress', 'FinalSink'] as const;

interface Inside {
  readonly admission: Admission;
  lot: Lot;
  enteredMs: number;
}

/** Five stages that move records as credits allow, and a sink that delivers at a rate. One step is 10 ms. */
class SimulatedPipeline {
  readonly clock = new FakeClock();
  readonly controller = new BackPressureController(
    backPressureOptions({
      clock: this.clock,
      stages: stagesWith({ capacity: 100, longestServiceMs: 5000 }),
      pipeline: { capacity: 500, byteCapacity: 1e9 },
    }),
  );
  offered = 0;
  admitted = 0;
  refused = 0;
  delivered = 0;
  calls = 0;
  private arriving = 0;
  private leaving = 0;
  private readonly gateway: Inside[] = [];
  private readonly stages: Inside[][] = PASSING.map(() => []);

  constructor() {
    this.controller.start();
  }

  run(ms: number, offeredPerSecond: number, sinkPerSecond: number): void {
    for (let step = 0; step < ms / TICK_MS; step += 1) {
      this.deliver((sinkPerSecond * TICK_MS) / 1000);
      for (let i = PASSING.length - 1; i >= 0; i -= 1) this.move(i);
      this.arrive((offeredPerSecond * TICK_MS) / 1000);
      this.report();
      this.clock.advance(TICK_MS);
    }
  }

  get inside(): number {
    return this.gateway.length + this.stages.reduce((sum, stage) => sum + stage.length, 0);
  }

  private deliver(capacity: number): void {
    this.leaving += capacity;
    const sink = this.stages.at(-1) ?? [];
    for (; this.leaving >= 1 && sink.length > 0; this.leaving -= 1) {
      const record = sink.shift()!;
      this.controller.meter('FinalSink').completed(1, this.clock.now() - record.enteredMs);
      record.lot.release();
      record.admission.pipeline.release();
      this.delivered += 1;
    }
    this.leaving = Math.min(this.leaving, 1);
  }

  private move(index: number): void {
    const from = index === 0 ? this.gateway : this.stages[index - 1]!;
    while (from.length > 0) {
      const lot = this.controller.requestCredits(PASSING[index]!, 1);
      if (lot === undefined) return;
      const record = from.shift()!;
      const left = index === 0 ? 'Gateway' : PASSING[index - 1]!;
      this.controller.meter(left).completed(1, this.clock.now() - record.enteredMs);
      record.lot.release();
      record.lot = lot;
      record.enteredMs = this.clock.now();
      this.stages[index]!.push(record);
    }
  }

  private arrive(count: number): void {
    this.arriving += count;
    for (; this.arriving >= 1; this.arriving -= 1) {
      this.offered += 1;
      const admission = this.controller.tryAdmit(1, 300);
      if (admission === undefined) {
        this.refused += 1;
        continue;
      }
      this.admitted += 1;
      this.gateway.push({ admission, lot: admission.gateway, enteredMs: this.clock.now() });
    }
  }

  private report(): void {
    PASSING.forEach((id, i) => this.controller.meter(id).queue(this.stages[i]!.length));
    this.controller.meter('FinalSink').inService(this.stages.at(-1)!.length, 100);
  }
}

describe('a simulated pipeline', () => {
  it('lets admissions follow deliveries when the sink becomes ten times slower (flaws 1 and 2)', () => {
    const pipeline = new SimulatedPipeline();
    const { controller } = pipeline;
    pipeline.run(5000, 900, 3000);
    expect(pipeline.refused).toBe(0);
    expect(controller.getPipelineStatus().level).toBe('healthy');

    pipeline.run(10_000, 900, 300);
    const before = { admitted: pipeline.admitted, delivered: pipeline.delivered };
    pipeline.run(10_000, 900, 300);
    const admitted = pipeline.admitted - before.admitted;
    const delivered = pipeline.delivered - before.delivered;
    expect(delivered).toBe(3000);
    expect(Math.abs(admitted - delivered)).toBeLessThanOrEqual(0.1 * delivered);

    const { bottleneck, stages } = controller.getPipelineStatus();
    expect(bottleneck?.stage).toBe('FinalSink');
    expect(stages.every(({ throttled }) => throttled)).toBe(true);
    expect(controller.refusal('Gateway', 'credit').stage).toBe('FinalSink');
    controller.stop();
  });

  it('loses no accepted record: offered = delivered + refused + inside, and all credits come back', () => {
    const pipeline = new SimulatedPipeline();
    pipeline.run(10_000, 900, 300);
    const { offered, delivered, refused, admitted } = pipeline;
    expect(refused).toBeGreaterThan(0);
    expect(offered).toBe(delivered + refused + pipeline.inside);
    expect(pipeline.controller.credits('pipeline').outstanding).toBe(pipeline.inside);

    pipeline.run(10_000, 0, 3000);
    expect(pipeline.delivered).toBe(admitted);
    for (const id of ['pipeline', 'Gateway', ...PASSING]) {
      expect(pipeline.controller.credits(id)).toMatchObject({ outstanding: 0, surplus: 0 });
    }
    expect(pipeline.controller.getPipelineStatus()).toMatchObject({
      pressure: 0,
      bottleneck: null,
    });
    pipeline.controller.stop();
  });

  it('opens again when the sink recovers', () => {
    const pipeline = new SimulatedPipeline();
    pipeline.run(10_000, 900, 300);
    pipeline.run(10_000, 900, 3000);
    const { refused } = pipeline;
    pipeline.run(5000, 900, 3000);
    expect(pipeline.refused).toBe(refused);
    pipeline.controller.stop();
  });
});
