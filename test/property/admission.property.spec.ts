import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Admission, BackPressureController } from '../../libs/back-pressure/src/index.js';
import { backPressureOptions, stagesWith } from '../support/back-pressure.js';
import { FakeClock } from '../support/fake-clock.js';

type Command =
  | { readonly do: 'try' | 'admit'; readonly count: number; readonly size: number }
  | { readonly do: 'release' | 'releaseGateway' | 'abort'; readonly which: number }
  | { readonly do: 'resize'; readonly window: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'pass' };

const records = { count: fc.integer({ min: 1, max: 8 }), size: fc.integer({ min: 0, max: 300 }) };
const which = fc.nat({ max: 20 });
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({ do: fc.constantFrom('try' as const, 'admit' as const), ...records }),
  fc.record({
    do: fc.constantFrom('release' as const, 'releaseGateway' as const, 'abort' as const),
    which,
  }),
  fc.record({ do: fc.constant('resize' as const), window: fc.integer({ min: 0, max: 15 }) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 120 }) }),
  fc.record({ do: fc.constant('pass' as const) }),
);

const QUEUE_CAPACITY = 4;

/** Drives the line at the entry at random and keeps the books beside it. */
class Model {
  private readonly clock = new FakeClock();
  private readonly controller = new BackPressureController(
    backPressureOptions({
      clock: this.clock,
      stages: stagesWith({ Gateway: { capacity: 10, replenishPerSecond: 50 } }),
      pipeline: { capacity: 12, byteCapacity: 1000 },
      admission: { queueCapacity: QUEUE_CAPACITY, waitMs: 200 },
    }),
  );
  private readonly held: Admission[] = [];
  private readonly aborts: AbortController[] = [];
  private readonly served: number[] = [];
  private waiting = 0;
  private asked = 0;

  async run(commands: readonly Command[]): Promise<void> {
    for (const each of commands) {
      this.step(each);
      await this.clock.advanceAsync(0);
      this.check();
    }
    await this.drain();
  }

  private step(each: Command): void {
    const at = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length];
    if (each.do === 'try') this.tryAdmit(each.count, each.size);
    else if (each.do === 'admit') this.admit(each.count, each.size);
    else if (each.do === 'release') at(this.held, each.which)?.release();
    else if (each.do === 'releaseGateway') at(this.held, each.which)?.gateway.release();
    else if (each.do === 'abort') at(this.aborts, each.which)?.abort();
    else if (each.do === 'resize') this.controller.resizeStage('Gateway', { window: each.window });
    else if (each.do === 'wait') this.clock.advance(each.ms);
    else this.controller.evaluate();
  }

  private tryAdmit(count: number, size: number): void {
    const waitedBefore = this.waiting;
    const admission = this.controller.tryAdmit(count, size);
    if (admission === undefined) return;
    assert.equal(waitedBefore, 0);
    this.keep(admission, count);
  }

  private admit(count: number, size: number): void {
    const turn = (this.asked += 1);
    const abort = new AbortController();
    this.aborts.push(abort);
    this.waiting += 1;
    this.controller
      .admit(count, { sizes: size, signal: abort.signal })
      .finally(() => (this.waiting -= 1))
      .then(
        (admission) => {
          this.served.push(turn);
          this.keep(admission, count);
        },
        (error: { code: string }) =>
          assert.match(error.code, /^(BP_CAPACITY_EXHAUSTED|FC_CREDIT_WAIT_ABORTED)$/),
      );
  }

  private keep(admission: Admission, count: number): void {
    assert.ok(admission.count >= 1 && admission.count <= count);
    assert.equal(admission.gateway.count, admission.count);
    assert.equal(admission.pipeline.count, admission.count);
    this.held.push(admission);
  }

  private check(): void {
    const sum = (pool: 'gateway' | 'pipeline'): number =>
      this.held.reduce((total, admission) => total + admission[pool].count, 0);
    assert.equal(this.controller.credits('Gateway').outstanding, sum('gateway'));
    assert.equal(this.controller.credits('pipeline').outstanding, sum('pipeline'));
    assert.ok(this.waiting <= QUEUE_CAPACITY);
    const inOrder = [...this.served].sort((a, b) => a - b);
    assert.deepEqual(this.served, inOrder);
  }

  /** Everything comes back, every wait ends, nothing stays behind. */
  private async drain(): Promise<void> {
    for (let i = 0; i < 30; i += 1) {
      for (const admission of this.held) {
        admission[i % 2 === 0 ? 'gateway' : 'pipeline'][Symbol.dispose]();
      }
      await this.clock.advanceAsync(200);
    }
    for (const pool of ['Gateway', 'pipeline']) {
      const { outstanding, waiting } = this.controller.credits(pool);
      assert.deepEqual({ outstanding, waiting }, { outstanding: 0, waiting: 0 });
    }
    assert.equal(this.waiting, 0);
  }
}

describe('admission', () => {
  it('holds both credits or none, serves in order, stays bounded and gives everything back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 60 }), (commands) =>
        new Model().run(commands),
      ),
      { numRuns: 150 },
    );
  });
});
